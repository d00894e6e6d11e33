# Invalid UTF-8 and NUL bytes: one message, status 1, never a signal.
printf 'x = "\xff"\n' >latin.aio
printf 'x = 1\n\0y = 2\n' >nul.aio
printf '\xef\xbb\xbfprint("a byte order mark is fine")\n' >bom.aio
: >empty.aio
for script in latin nul bom empty; do
    "$AIO" $script.aio 2>&1 | tail -n 1 | sed "s#$(pwd -P)#HERE#g"
    echo "status ${PIPESTATUS[0]}"
done
