# A task that blocks the loop: time.sleep is named, and so is a busy loop, while it runs.
cat >busy.aio <<'X'
import asyncio, time
async def spin():
    end = time.process_time() + 0.4
    while time.process_time() < end:
        pass
async def main():
    for _ in range(3):
        time.sleep(0.01)
    await spin()
    print("done")
asyncio.run(main())
X
hide() { sed -e "s|[^ ]*/busy.aio|busy.aio|; s/[0-9][0-9]*\.[0-9]*/N/; s/:[45]\([: ]\)/:4\1/"; }
AIOVM_REPORT= "$AIO" busy.aio 2>&1 | hide
AIOVM_REPORT=all:off "$AIO" busy.aio 2>&1 | hide
AIOVM_REPORT=blocking:error,slow:off "$AIO" busy.aio 2>&1 | tail -n 1 | hide
AIOVM_REPORT=blocking:off,slow:error "$AIO" busy.aio 2>&1 | tail -n 1 | hide
cat >calls.aio <<'X'
import asyncio, os, select, socket, subprocess, threading
async def main():
    a, b = socket.socketpair()
    timer = threading.Timer(0.05, b.send, (b"x",))
    timer.start()
    a.recv(1)
    subprocess.run(["true"])
    os.system("true")
    select.select([], [], [], 0.01)
    select.select([], [], [], 0)
    lock = threading.Lock()
    lock.acquire()
    threading.Timer(0.05, lock.release).start()
    lock.acquire()
    socket.getaddrinfo("127.0.0.1", 80)
    input()
asyncio.run(main())
X
echo | AIOVM_REPORT= "$AIO" calls.aio 2>&1 | grep -v "has held the loop" | sed "s|[^ ]*/calls.aio|calls.aio|"
