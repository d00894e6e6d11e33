# aio ps, aio tree, Ctrl-\
cat >wait.aio <<'X'
import asyncio
async def worker(event):
    await event.wait()
async def main():
    event = asyncio.Event()
    tasks = [asyncio.create_task(worker(event), name=f"w{i}") for i in range(2)]
    open("ready", "w").close()
    await asyncio.wait_for(asyncio.gather(*tasks), 60)
asyncio.run(main())
X
hide() { sed -e "s|$PWD|DIR|g; s|/tmp/[^ ]*/wait.aio|DIR/wait.aio|g; s/0x[0-9a-f]*/ADDR/g; s/  */ /g; s/ $//"; }
# Ctrl-\ is ignored in the background of a shell, as Ctrl-C is: start it with the default.
python3 -c 'import os, signal, sys; signal.signal(signal.SIGQUIT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' "$AIO" wait.aio 2>dump &
pid=$!
for i in $(seq 200); do [ -e ready ] && break; sleep 0.05; done
"$AIO" ps $pid | hide
"$AIO" tree $pid | hide
"$AIO" ps --stacks $pid | hide
"$AIO" ps --json $pid | python3 -c 'import json, sys; print([(t["name"], t["state"], t["awaited_by"]) for t in json.load(sys.stdin)])'
"$AIO" ps | grep -c " $pid "
kill -QUIT $pid
for i in $(seq 100); do [ -s dump ] && break; sleep 0.05; done
head -n 2 dump | hide
kill $pid
wait $pid 2>/dev/null
"$AIO" ps $pid 2>&1 | sed "s/$pid/PID/"
"$AIO" ps nonsense 2>&1 | head -n 1
