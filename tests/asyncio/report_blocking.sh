# A task that blocks the loop: time.sleep is named, and so is a busy loop, while it runs.
cat >busy.aio <<'X'
import asyncio, time
async def spin():
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        pass
async def main():
    for _ in range(3):
        time.sleep(0.01)
    await spin()
    print("done")
asyncio.run(main())
X
hide() { sed -e "s|[^ ]*/busy.aio|busy.aio|; s/0\.[0-9]*/N/; s/:[45]\([: ]\)/:4\1/"; }
AIOVM_REPORT= "$AIO" busy.aio 2>&1 | hide
AIOVM_REPORT=all:off "$AIO" busy.aio 2>&1 | hide
AIOVM_REPORT=blocking:error,slow:off "$AIO" busy.aio 2>&1 | tail -n 1 | hide
AIOVM_REPORT=blocking:off,slow:error "$AIO" busy.aio 2>&1 | tail -n 1 | hide
