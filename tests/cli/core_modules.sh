# A library with the core of the modules (-Dmodules=core; here the same objects, linked with another table): asyncio is whole, and
# what is left out says how to get it.
core=$(dirname "$AIO")/aio_core
cat >whole.aio <<'EOF'
import asyncio, asyncio.subprocess, concurrent.futures, contextvars, queue, select, selectors, signal, socket, ssl, subprocess, threading
import collections.abc, contextlib, dataclasses, enum, functools, inspect, io, itertools, json, logging, math, os, random, re
import string, struct, sys, textwrap, time, traceback, typing, warnings, weakref

async def main():
    async def echo(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"streams\n")
        print(await reader.readline())
        writer.close()
    child = await asyncio.create_subprocess_exec("echo", "children", stdout=subprocess.PIPE)
    print(await child.communicate())
    print(await asyncio.to_thread(lambda: "threads"), re.findall(r"\d+", "12 and 3"), json.dumps({"a": [1, None]}))

asyncio.run(main())
EOF
cat >lacks.aio <<'EOF'
for name in "decimal", "logging.config", "unittest.mock", "unicodedata", "nonsense":
    try:
        __import__(name)
    except ModuleNotFoundError as e:
        print(e, e.name)
try:
    eval("'\\N{BULLET}'")
except SyntaxError as e:
    print(e)
print("\u2022".encode("ascii", "namereplace"))
try:
    "x".encode("cp1252")
except LookupError as e:
    print(e)
print("\xe4".encode("latin-1"))
EOF
"$core" whole.aio
"$core" lacks.aio
echo 'import decimal' >decimals.aio
"$core" decimals.aio 2>&1 | tail -n 1
