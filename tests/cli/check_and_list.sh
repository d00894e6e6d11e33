# --check compiles only; -d lists the code and runs nothing.
echo 'print("it ran")' >good.aio
printf 'def f():\n    return 1 +\n' >bad.aio
printf 'return 5\n' >outside.aio
"$AIO" --check good.aio; echo "status $?"
"$AIO" --check bad.aio; echo "status $?"
"$AIO" --check outside.aio 2>/dev/null; echo "status $?"
echo 'x = (' | "$AIO" --check - 2>/dev/null; echo "status $?"
"$AIO" -d good.aio >listing; echo "status $?"
grep -c 'it ran' listing | sed 's/[1-9][0-9]*/listed/'
[ "$(wc -l <listing)" -ge 3 ] && echo "some lines"
"$AIO" -d bad.aio 2>/dev/null; echo "status $?"
