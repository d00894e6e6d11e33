"""Point 6: tasks, tree, cancel N, fg N; help(); exit and quit; failed tasks are reported at once."""
import re
from terminal import Terminal, check

with Terminal(columns=100, rows=40) as t:
    t.type("async def inner():\rawait asyncio.sleep(1000)\r\r")
    t.type("a = asyncio.create_task(inner(), name='a')\r")
    t.type("async def outer():\rreturn await a\r\r")
    t.type("b = asyncio.create_task(outer(), name='b')\rtasks\r")
    t.expect_text("task 'a'")
    rows = [r for r in t.lines() if re.match(r"[N\d] ", r)]
    assert rows[0].split() == ["N", "NAME", "STATE", "SINCE", "WHERE"], rows
    assert re.fullmatch(r"1  a +waits for sleep\(\) +\d+\.\d s  <cell 1>:2 in inner", rows[1]), rows
    assert re.fullmatch(r"2  b +waits for task 'a' +\d+\.\d s  <cell 3>:2 in outer", rows[2]), rows
    check("tasks")
    t.type("tree\r")
    t.expect_text(">>> tree")
    t.settle()
    check("tree")
    t.type("cancel 1\r")
    t.type("a.cancelled(), b.cancelled()\r")
    t.expect("(True, True)", ">>>")
    check("cancel")
    t.type("c = asyncio.create_task(asyncio.sleep(0.3, 'result'), name='c')\rtasks\r")
    t.expect_text("c     waits")
    t.type("fg 3\r")
    t.expect(">>> fg 3", "'result'", ">>>")
    check("fg")
    t.type("cancel 99\r")
    t.expect("there is no task number 99: `tasks` lists them", ">>>")
    t.type("tree = 5\rtree\r")
    t.expect("5", ">>>")
    check("a name of the program comes first")
    t.type("async def fail():\rawait asyncio.sleep(0.1)\r1/0\r\rf = asyncio.create_task(fail(), name='f')\r")
    t.type("editing")
    t.expect("Task 'f' failed", "Traceback (most recent call last):", '  File "<cell 15>", line 3, in fail', "    1/0", "    ~^~",
             "ZeroDivisionError: division by zero", ">>> editing", cursor=11)
    check("a failed task is reported at once")
    t.type("\x15help(asyncio.sleep)\r")
    t.expect_text("sleep(delay, result=None)")
    t.expect_text("Wait for `delay` seconds.")
    check("help")
    t.type("exit\r")
    t.expect_end()
    check("exit")

with Terminal() as t:
    t.type("quit()\r")
    t.expect_end()
with Terminal() as t:
    t.type("exit(3)\r")
    t.expect_end(3)
    check("quit() and exit(3)")
