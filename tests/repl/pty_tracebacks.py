"""Point 8: tracebacks show the source of earlier cells."""
from terminal import Terminal, check

with Terminal(columns=80) as t:
    t.type("def inner(x):\rreturn 1 / x\r\r")
    t.type("async def outer(x):\rawait asyncio.sleep(0)\rreturn inner(x)\r\r")
    t.type("await outer(0)\r")
    t.expect(">>> await outer(0)", "Traceback (most recent call last):", '  File "<cell 3>", line 1, in <module>', "    await outer(0)",
             '  File "<cell 2>", line 3, in outer', "    return inner(x)", "           ^^^^^^^^", '  File "<cell 1>", line 2, in inner',
             "    return 1 / x", "           ~~^~~", "ZeroDivisionError: division by zero", ">>>")
    check("three cells")
