"""oracle.py [--virtual-time] SCRIPT [ARG...] - run a test script under CPython as aio would run it.

Most tests run on plain CPython and do not need this. It adds what aio has by itself: `Future`, `Task`,
`gather` and `as_completed` as builtins, `await` at the top level of the script, and with --virtual-time
a clock that jumps to the next timer when nothing is ready, so that a test that sleeps for an hour can be
checked in no time.
"""
import ast
import asyncio
import builtins
import inspect
import os
import selectors
import sys
import time
import types


class JumpingSelector(selectors.DefaultSelector):
    """A selector that never waits: where the loop would wait for a timer the clock moves instead."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def select(self, timeout=None):
        if timeout is None:
            return super().select(None)
        events = super().select(0)
        if not events and timeout > 0:
            self.clock.now += timeout
        return events


class Clock:
    """Stands still but for a tick at every reading: without it two timers could be due at the very same time,
    which a real clock never lets happen, and CPython's heap of timers keeps no order among equals."""
    TICK = 1e-7

    def __init__(self):
        self.now = time.monotonic()
        self.offset = time.time() - self.now

    def read(self):
        self.now += self.TICK
        return self.now

    def install(self):
        def advance(seconds):
            self.now += seconds

        time.monotonic = self.read
        time.perf_counter = self.read
        time.time = lambda: self.now + self.offset
        time.sleep = advance
        clock = self

        class Policy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self):
                return asyncio.SelectorEventLoop(JumpingSelector(clock))

        asyncio.set_event_loop_policy(Policy())


def main():
    args = sys.argv[1:]
    if args[0] == "--virtual-time":
        args.pop(0)
        Clock().install()
    path = os.path.abspath(args[0])
    sys.argv = args
    sys.path[0] = os.path.dirname(path)
    for name in ("Future", "Task", "gather", "as_completed"):
        setattr(builtins, name, getattr(asyncio, name))
    with open(path, "rb") as file:
        source = file.read()
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = builtins
    sys.modules["__main__"] = module
    code = compile(source, path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        function = types.FunctionType(code, module.__dict__)
        asyncio.run(function())
    else:
        exec(code, module.__dict__)


main()
