"""Point 2: what is printed goes above the prompt, and the edited line stays as it was, cursor included."""
import time
from terminal import Terminal, check

with Terminal(columns=40, rows=20) as t:
    t.type("import sys\rasync def tick():\rfor i in range(100):\rprint('tick', i)\r"
           "await asyncio.sleep(0.05)\r\r\r\r")
    t.expect(">>>")
    t.type("t = asyncio.create_task(tick()); started = True\r")
    t.expect_text("tick 0")
    # A long line that wraps, wide characters, an emoji, a second line; the cursor in the middle of the first.
    first = "if '한글과 漢字' == 'a long line that wraps 😀 here':"
    begin = time.monotonic()
    t.type(first + "\r")
    t.type("print('둘째 줄')")
    t.type("\x10\x01" + "\x06" * 8)
    shown = [">>> if '한글과 漢字' == 'a long line tha", "t wraps 😀 here':", "...     print('둘째 줄')"]
    while time.monotonic() - begin < 3.0:
        t.pump(0.05)
    t.type("\x1b[B\x1b[A")
    # cursor: after `if '한글` and one more, in columns
    t.expect("tick 97", "tick 98", "tick 99", *shown, cursor=(2, 4 + 4 + 2 * 3 + 1))
    rows = t.lines()
    ticks = [r for r in rows if r.startswith("tick")]
    assert ticks == [f"tick {i}" for i in range(100 - len(ticks), 100)], ticks
    check("the screen after five seconds of printing")
    t.type("\x0e\x05\r\r")
    t.type("\x15")
    t.expect(">>>")

with Terminal(columns=40, rows=20) as t:
    t.type("async def parts():\rfor word in 'a partial line'.split():\r"
           "print(word, end=' ', flush=True)\rawait asyncio.sleep(0.05)\r\x7fprint('ends')\r\r\r")
    t.expect(">>>")
    t.type("t = asyncio.create_task(parts())\r")
    t.type("edited")
    t.expect("a partial line ends", ">>> edited", cursor=10)
    check("partial lines are kept together")
    t.type("\x15import sys; asyncio.get_running_loop().call_later(0.1, lambda: print('to stderr', file=sys.stderr)); None\r")
    t.type("some text\x02\x02")
    t.expect("to stderr", ">>> some text", cursor=11)
    check("stderr too")
    t.type("\x05\x15")
    t.type("p = await asyncio.create_subprocess_shell('echo begins; read go; test -t 1 && echo on a terminal; echo ends >&2', stdin=-1)\r")
    t.expect("begins", ">>>", cursor=4)
    t.type("typed \x02\x02meanwhile")
    t.expect("begins", ">>> typemeanwhiled", cursor=17)
    t.type("\x05\x15p.stdin.close(); await p.wait()\r")
    t.expect("on a terminal", "ends", "0", ">>>")
    check("a child process")
    t.type("for i in range(3000): print(i)\r\r")
    t.expect("2998", "2999", ">>>", cursor=4)
    check("much output")
    t.type("print('no line end', end='')\r")
    t.expect("no line end", ">>>", cursor=4)
    t.type("input('name? ')\rme\r")
    t.expect("name? me", "'me'", ">>>")
    check("input()")
