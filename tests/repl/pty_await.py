"""Point 1: await at the top level, background tasks while the prompt waits and while a line is edited, _, asyncio imported."""
from terminal import Terminal, TOP, check

with Terminal(banner=False, columns=80) as t:
    t.expect_text(TOP[0])
    t.expect(*TOP[1:], ">>>", cursor=4)
check("banner")

with Terminal() as t:
    t.type("await asyncio.sleep(0.01, 'slept')\r")
    t.expect(">>> await asyncio.sleep(0.01, 'slept')", "'slept'", ">>>", cursor=4)
    t.type("_ * 2\r")
    t.expect("'sleptslept'", ">>>")
    check("await and _")
    t.type("async def ticks():\rfor i in range(3):\rawait asyncio.sleep(0)\ryield i\r\r\r")
    t.type("async for i in ticks(): i\r\r")
    t.expect("...", "0", "1", "2", ">>>")
    check("async for")
    t.type("lock = asyncio.Lock()\rasync with lock: lock.locked()\r\r")
    t.expect("...", "True", ">>>")
    check("async with")
    t.type("n = 0\rasync def count():\rglobal n\rwhile True:\rn += 1\rawait asyncio.sleep(0.001)\r\r\r\r")
    t.type("t = asyncio.create_task(count())\r")
    t.settle()
    t.type("before = n\r")
    t.settle(0.3)
    t.type("n - before > ")
    t.settle(0.3)
    t.type("20\r")
    t.expect(">>> n - before > 20", "True", ">>>")
    check("tasks run while the prompt waits")
