# AIOVM_REPORT: off, error, and what is wrong with it
cat >fail.aio <<'X'
import asyncio
async def fails():
    1 / 0
async def main():
    asyncio.create_task(fails())
    await asyncio.sleep(0.01)
asyncio.run(main())
X
"$AIO" fail.aio 2>/dev/null
echo "status $?"
AIOVM_REPORT=failed:off "$AIO" fail.aio
echo "status $?"
AIOVM_REPORT=all:on,failed:error "$AIO" fail.aio 2>/dev/null
echo "status $?"
AIOVM_REPORT=failed "$AIO" -c 'print(1)' 2>&1
AIOVM_REPORT=failed:maybe "$AIO" -c 'print(2)' 2>&1
AIOVM_REPORT=nothing:off "$AIO" -c 'print(3)' 2>&1
