# What can be wrong with a path, in CPython's words.
here=$(pwd -P)
say() { "$AIO" "$@" 2>&1 </dev/null | sed "s#$here#HERE#g"; echo "status ${PIPESTATUS[0]}"; }
mkdir empty package
say missing.aio
say missing/too.aio
say empty
say ''
say /dev/zero
ln -s loop loop
say loop
echo 'print("a folder", __name__)' >package/__main__.aio
say package
rm package/__main__.aio
echo 'print("plain Python", __name__)' >package/__main__.py
say package
