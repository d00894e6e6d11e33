"""Point 7: aio -i script.aio, AIOVM_STARTUP, a script on standard input."""
import os
import subprocess
from terminal import AIO, Terminal, check

with open("script.aio", "w") as f:
    f.write("import sys\nprint('script runs', sys.argv[1:])\nanswer = await asyncio_sleep(0.01, 42)\n"
            .replace("asyncio_sleep", "__import__('asyncio').sleep"))
with open("startup.aio", "w") as f:
    f.write("from math import pi\ngreeting = 'hello'\n")
with Terminal("-i", "script.aio", "x", banner=False) as t:
    t.expect("script runs ['x']", ">>>")
    t.type("answer\r")
    t.expect("42", ">>>")
    check("-i script")
with open("fails.aio", "w") as f:
    f.write("kept = 1\n1/0\n")
with Terminal("-i", "fails.aio", banner=False, columns=200) as t:
    t.expect("ZeroDivisionError: division by zero", ">>>")
    t.type("kept\r")
    t.expect("1", ">>>")
    check("-i with a script that fails")
with Terminal(env={"AIOVM_STARTUP": os.path.abspath("startup.aio")}) as t:
    t.type("greeting, pi > 3\r")
    t.expect("('hello', True)", ">>>")
    check("AIOVM_STARTUP")
got = subprocess.run([AIO], input=b"1 + 1\nprint('a script')\n", stdout=subprocess.PIPE).stdout
assert got == b"a script\n", got
check("a pipe is a script")
