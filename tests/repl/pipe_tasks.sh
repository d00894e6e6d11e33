# Tasks run on while a session waits for its next line.
mkfifo lines
"$AIO" -i <lines 2>/dev/null &
exec 3>lines
printf 'n = 0\nasync def count():\n    global n\n    while True:\n        n += 1\n        await asyncio.sleep(0.01)\n\nt = asyncio.create_task(count())\n' >&3
sleep 0.7
echo 'n > 5' >&3
sleep 0.2
echo 'input()' >&3
sleep 0.2
echo 'a line' >&3
exec 3>&-
wait
