"""Point 3: editing, history, search, paste, resize, completion, colours, the hint line, NO_COLOR and TERM=dumb."""
import os
from terminal import Terminal, check

with Terminal() as t:
    t.type("for i in range(2):\rprint(i)\r")
    t.expect(">>> for i in range(2):", "...     print(i)", "...", cursor=8)
    t.type("\r")
    t.expect("...", "0", "1", ">>>")
    check("multi-line cells with indentation")
    t.type("\x1b[200~def f():\r    a = 1\r\r    return a\r\x1b[201~")
    t.expect(">>> def f():", "...     a = 1", "...", "...     return a", "...", cursor=4)
    t.type("\rf()\r")
    t.expect("1", ">>>")
    check("paste is taken as it is")
    t.type("\x1b[200~x = 5\ry = 6\rx * y\x1b[201~\r")
    t.expect("... x * y", "30", ">>>")
    check("several statements at once")
    t.type("one two\x1bb\x0b\x19\x19\x17 z\x1f")
    t.expect(">>> one", cursor=8)
    t.type("\x15\x15")
    check("kill, yank, undo")
    t.type("\x1b[A\x1b[A")
    t.expect(">>> f()")
    t.type("\x15de\x1b[A")
    t.expect(">>> def f():", "...     a = 1", "...", "...     return a", cursor=(3, 6))
    t.type("\x15\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x12range")
    t.expect("(search)`range': for i in range(2):", "...     print(i)")
    t.type("\x07")
    check("history")
    t.type("\x15\x15'한글' + 'e\u0301'\x01\x06\x06")
    t.settle()
    assert (t.lines()[-1], t.screen.cursor.x) == (">>> '한글' + '\u00e9'", 7), t.lines()
    check("wide and combining characters")

with Terminal() as t:
    t.type("alphabet = 1\ralp\t")
    t.expect(">>> alphabet", cursor=12)
    t.type("\x15'x'.join([alphabet.bit_le\t")
    t.settle()
    t.expect_text("alphabet.bit_length(")
    t.type("\x15import ite\t")
    t.expect(">>> import itertools", cursor=20)
    t.type("\x15from asyncio import create_t\t")
    t.expect(">>> from asyncio import create_task", cursor=35)
    t.type("\x15sorted([3], ke\t")
    t.expect(">>> sorted([3], key=", "sorted(iterable, /, *, key=None, reverse=False)", cursor=(1, 20))
    check("completion of names, attributes, modules and keyword arguments")
    t.type("\x15asyncio.sleep(")
    t.expect(">>> asyncio.sleep(", "asyncio.sleep(delay, result=None)", cursor=(1, 18))
    check("hint line")
    t.type("\x15asyncio.cre\t")
    t.expect_text("create_task(")
    check("list of candidates")
    t.type("\x15return 'text'")
    t.settle()
    row = t.screen.buffer[t.screen.cursor.y]
    assert row[4].fg != "default" and row[12].fg == "green", (row[4], row[12])
    check("colours")

with Terminal(columns=60) as t:
    t.type("value = 'a text of some length, but not too long'")
    t.settle()
    t.resize(30, 24)
    t.expect(">>> value = 'a text of some le", "ngth, but not too long'", cursor=23)
    t.resize(80, 24)
    t.expect(">>> value = 'a text of some length, but not too long'", cursor=53)
    check("resize")

with Terminal(env={"NO_COLOR": "1"}) as t:
    state = t.state
    t.type("first = 'entry'\rsecond = 2\r")
    t.expect(">>> second = 2", ">>>")
    assert b"\x1b[3" not in t.raw and b"m" not in t.raw.replace(b"import", b"").replace(b"more", b"").replace(b"information", b""), t.raw
    check("NO_COLOR")
    t.type("\x04")
    t.expect_end()
assert oct(os.stat(state + "/aio/history").st_mode & 0o777) == "0o600"
with Terminal(state=state) as t:
    t.type("fi\x1b[A")
    t.expect(">>> first = 'entry'")
    check("history in a file")

with Terminal(env={"TERM": "dumb"}, banner=False) as t:
    t.expect(">>>")
    t.type("6 * 7\n")
    t.expect("42", ">>>")
    assert b"\x1b" not in t.raw
    check("TERM=dumb")
