#!/usr/bin/env python3
"""From key to screen: repl_latency.py [AIO [TASKS]]

Types characters into the REPL through a pseudo-terminal while TASKS tasks (10,000) sleep, and measures the time from the
write of the key to the arrival of the bytes that show it. Prints the median, the 95th percentile and the maximum in ms.
It decides nothing.
"""
import os
import pty
import select
import statistics
import sys
import tempfile
import time

AIO = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/aio")
TASKS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
KEYS = 400


def read_until(fd, needle, patience=30.0):
    data = b""
    deadline = time.monotonic() + patience
    while needle not in data:
        ready, _, _ = select.select([fd], [], [], deadline - time.monotonic())
        if not ready:
            sys.exit(f"nothing with {needle!r} came: {data!r}")
        data += os.read(fd, 65536)
    return data


def main():
    with tempfile.TemporaryDirectory() as state:
        pid, fd = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm", XDG_STATE_HOME=state)
            os.execv(AIO, [AIO])
        read_until(fd, b"import asyncio\r")
        os.write(fd, f"ts = [asyncio.create_task(asyncio.sleep(3600 + i)) for i in range({TASKS})]; 'made'\r".encode())
        read_until(fd, b"'made'\r")
        time.sleep(1)
        while select.select([fd], [], [], 0.2)[0]:
            os.read(fd, 65536)
        times = []
        text = "value = some_function(argument, 'a string', 12345)  # and a comment  "
        for i in range(KEYS):
            if i % len(text) == 0:
                os.write(fd, b"\x15")
                time.sleep(0.05)
                while select.select([fd], [], [], 0.05)[0]:
                    os.read(fd, 65536)
            key = text[i % len(text)]
            begin = time.perf_counter()
            os.write(fd, key.encode())
            select.select([fd], [], [], 10)
            os.read(fd, 65536)
            times.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.005)
            while select.select([fd], [], [], 0)[0]:
                os.read(fd, 65536)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    times.sort()
    print(f"{TASKS} tasks, {KEYS} keys: median {statistics.median(times):.3f} ms, "
          f"95 % {times[int(len(times) * 0.95)]:.3f} ms, maximum {times[-1]:.3f} ms")


main()
