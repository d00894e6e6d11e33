# Wrong usage: status 2, and what is wrong in the first line of stderr.
for arguments in "-z" "--nonsense" "-c" "-m" "-W" "-dx"; do
    "$AIO" $arguments 2>&1 >/dev/null </dev/null | head -n 1
    echo "status ${PIPESTATUS[0]}"
done
"$AIO" -z 2>&1 >/dev/null | tail -n 2
