# module
"""A pseudo-terminal with an emulator behind it: what a person at the keyboard would type and see.

    from terminal import Terminal, check
    with Terminal() as t:
        t.type("1 + 1\\r")
        t.expect(">>> 1 + 1", "2", ">>> ")

expect() waits until the last rows of the screen are these (trailing blanks do not count), so no test depends on speed;
it fails after a long time. `check(name)` says that a step has passed.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time

import pyte

AIO = os.environ["AIO"]
PATIENCE = 60.0
TOP = ["aio REPL", 'Use "await" directly instead of "asyncio.run()".', 'Type "help" for more information.',
       ">>> import asyncio"]


class Terminal:
    def __init__(self, *args, columns=60, rows=24, env=None, banner=True, state=None):
        wanted, columns = columns, max(columns, 60) if banner else columns # the banner is not to wrap
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.ended = False
        self.state = state or tempfile.mkdtemp(prefix="aio-state-", dir=".")
        environment = {**os.environ, "TERM": "xterm-256color", "XDG_STATE_HOME": os.path.abspath(self.state)}
        for name in ("NO_COLOR", "AIOVM_STARTUP"):
            environment.pop(name, None)
        environment["AIOVM_REPORT"] = "slow:off" # whether a tenth of a second passes depends on the machine
        environment.update(env or {})
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(AIO, [AIO, *args], environment)
        if banner:
            self.expect(*TOP[1:], ">>>")
            self.screen.reset()
            self.screen.draw(">>> ")
        if wanted != columns:
            self.resize(wanted, rows)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self, seconds):
        """Takes in what comes for at most so long; False: nothing came."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        if not data:
            if not self.ended:
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.ended = True
            return False
        self.raw += data
        self.stream.feed(data)
        return True

    def settle(self, seconds=0.1):
        """Until nothing has come for so long."""
        while self.pump(seconds):
            pass

    def type(self, text):
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def lines(self):
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1] and len(lines) - 1 > self.screen.cursor.y:
            lines.pop()
        return lines

    def wait(self, test, what):
        deadline = time.monotonic() + PATIENCE
        while not test():
            if time.monotonic() > deadline or (self.ended and not test()):
                self.fail(what)
            self.pump(0.2)

    def fail(self, what):
        print("FAILED:", what)
        print("\n".join("| " + line for line in self.lines()))
        print("cursor", (self.screen.cursor.y, self.screen.cursor.x), flush=True)
        os._exit(1)

    def expect(self, *rows, cursor=None):
        """The last rows of the screen; the column of the cursor in its row, which is the last one unless it is a pair
        (rows above the last one, column)."""
        rows = [row.rstrip() for row in rows]
        while rows and not rows[-1]:
            rows.pop()
        up, column = cursor if isinstance(cursor, tuple) else (0, cursor)

        def test():
            lines = self.lines()
            while lines and not lines[-1]:
                lines.pop()
            at = self.screen.cursor
            return (lines[-len(rows):] == rows
                    and (column is None or (at.y, at.x) == (len(lines) - 1 - up, column)))
        self.wait(test, "expected " + repr(rows) + (f" with the cursor at {cursor}" if cursor is not None else ""))

    def expect_text(self, text):
        """Somewhere on the screen; a text that is broken at the edge counts."""
        self.wait(lambda: text in "\n".join(self.lines()) or text in "".join(self.screen.display), "expected " + repr(text))

    def expect_end(self, status=0):
        self.wait(lambda: self.ended, "the end")
        if self.status != status:
            self.fail(f"status {status}, not {self.status}")


def check(name):
    print("ok", name, flush=True)
