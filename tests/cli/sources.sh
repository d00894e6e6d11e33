# Every way in: a script, -c, -m, a dash, a pipe; and what belongs to the script.
echo 'import sys; print(__name__, sys.argv, __file__.endswith("script.aio"))' >script.aio
echo 'import sys; print(__name__, sys.argv[0] == __file__, sys.argv[1:])' >user.aio
echo 'import user; print(__name__)' >importer.aio
"$AIO" script.aio -c --help -
"$AIO" -c 'import sys; print(__name__, sys.argv)' -x y
"$AIO" -c'print("attached")'
echo 'import sys; print(__name__, sys.argv)' | "$AIO" - one two
echo 'import sys; print(__name__, sys.argv)' | "$AIO"
"$AIO" -m user a b
cd / && "$AIO" "$OLDPWD/importer.aio" c
