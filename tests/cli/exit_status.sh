# The status of a script, as the shell sees it.
for code in 'pass' '1/0' 'import sys; sys.exit(7)' 'import sys; sys.exit()' 'import sys; sys.exit("words")' \
    'raise SystemExit(3)' 'import sys; sys.exit(256 + 5)' 'import sys; sys.exit(-1)' 'print(' \
    'raise KeyboardInterrupt' 'raise SystemExit(None)' 'raise SystemExit((1, 2))' 'raise SystemExit(2**100)'; do
    "$AIO" -c "$code" 2>&1 | tail -n 1
    echo "status ${PIPESTATUS[0]}"
done
