# A day of sleeping takes no time, in the right order, and all clocks agree.
cat >day.aio <<'END'
import asyncio, time

async def wake(name, hours):
    await asyncio.sleep(hours * 3600)
    print(name)

async def main():
    start, loop_start = time.monotonic(), asyncio.get_running_loop().time()
    await asyncio.gather(wake("evening", 20), wake("morning", 8), wake("noon", 12))
    print(round(time.monotonic() - start), round(asyncio.get_running_loop().time() - loop_start))
    time.sleep(3600)
    print(round(time.monotonic() - start))

asyncio.run(main())
END
before=$SECONDS
"$AIO" --virtual-time day.aio
[ $((SECONDS - before)) -lt 60 ] && echo "at once"
