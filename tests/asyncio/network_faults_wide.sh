# skip-asan: strace and the sanitizers are too slow together
# skip-gc-stress: too slow in this build
# timeout: 120
# System calls fail under streams, loop.sock_*() and child processes (strace injects the errors): whoever is hit gets an OSError or
# never notices, nothing hangs or stays open, and what comes after is served. Where strace or ptrace is not to be had the test says
# so on stderr and passes.
cat > faults.aio <<'END'
import asyncio, os, socket
async def handle(r, w):
    try:
        while data := await r.read(100_000):
            w.write(data)
            await w.drain()
    except OSError:
        pass
    w.close()

async def stream(addr):
    r, w = await asyncio.open_connection(*addr)
    try:
        data = bytes(300_000)
        w.write(data)
        await w.drain()
        w.write_eof()
        got = await r.read()
        return "ok" if got == data else "short"
    finally:
        w.close()

async def raw(addr):
    loop = asyncio.get_running_loop()
    s = socket.socket()
    s.setblocking(False)
    try:
        await loop.sock_connect(s, addr)
        await loop.sock_sendall(s, b"x" * 1000)
        n = 0
        while n < 1000:
            data = await loop.sock_recv(s, 4000)
            if not data: return "short"
            n += len(data)
        return "ok"
    finally:
        s.close()

async def process(addr):
    p = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate(b"y" * 200_000)
    return "ok" if len(out) == 200_000 and p.returncode == 0 else "short"

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    addr = server.sockets[0].getsockname()
    results = []
    before = len(os.listdir("/proc/self/fd"))
    for i in range(3):
        for kind in (stream, raw, process):
            task = asyncio.create_task(kind(addr))
            done, late = await asyncio.wait([task], timeout=5)
            if late:
                task.cancel()
                results.append(kind.__name__ + " hangs")
            elif isinstance(task.exception(), (OSError, asyncio.IncompleteReadError)):
                results.append("failed")
            else:
                results.append(task.result())
    await asyncio.sleep(0.05)
    left = len(os.listdir("/proc/self/fd")) - before
    tasks = len(asyncio.all_tasks()) - 1
    server.close()
    await asyncio.wait_for(server.wait_closed(), 5)
    print(results[-3:], [r for r in results if "hangs" in r], "fds:", left <= 1, "tasks:", tasks)

asyncio.run(main())
END
expected="['ok', 'ok', 'ok'] [] fds: True tasks: 0"
if ! strace -qq -o /dev/null -e trace=close true 2> refused; then
    echo "skipped: strace does not work here" >&2
    echo "all faults are survived"
    exit 0
fi
try() {
    local call=${1%%:*} got
    got=$(timeout 60 strace -f -qq -o /dev/null -e trace=$call -e inject=$1 "$AIO" faults.aio 2> errors.$2 | tail -1)
    [ "$got" = "$expected" ] || echo "$1: $got $(tail -1 errors.$2)"
}
n=0
for fault in recvfrom:error=EINTR:when=5+7 recvfrom:error=EAGAIN:when=4+3 recvfrom:error=ECONNRESET:when=9 \
    recvfrom:error=EHOSTUNREACH:when=7 sendto:error=EINTR:when=3+5 sendto:error=EAGAIN:when=2+3 sendto:error=ECONNRESET:when=3 \
    sendto:error=ENOMEM:when=4 sendto:retval=1:when=5 sendmsg:error=EAGAIN:when=1 sendmsg:error=EPIPE:when=1 \
    accept4:error=ENFILE:when=2 accept4:error=ENOMEM:when=1 accept4:error=EPERM:when=1 accept4:error=ECONNABORTED:when=1+3 \
    connect:error=EHOSTUNREACH:when=3 connect:error=ENETUNREACH:when=2 connect:error=EAGAIN:when=1 \
    epoll_ctl:error=ENOMEM:when=5 epoll_ctl:error=ENOSPC:when=9 epoll_ctl:error=ENOMEM:when=13 epoll_ctl:error=ENOSPC:when=17 \
    epoll_ctl:error=ENOMEM:when=20 epoll_ctl:error=ENOMEM:when=22 epoll_wait:error=EINTR:when=3+5 epoll_pwait2:error=EINTR:when=2+3 \
    getpeername:error=ENOTCONN:when=2+ getsockopt:error=ENOBUFS:when=3 setsockopt:error=EINVAL:when=2 shutdown:error=ENOTCONN:when=1 \
    read:error=EINTR:when=40+3 write:error=EPIPE:when=12 write:error=EAGAIN:when=9+4 write:error=EINTR:when=8+4 \
    socket:error=ENFILE:when=4 pipe2:error=EMFILE:when=4 vfork:error=EAGAIN:when=1 fcntl:error=EINVAL:when=9 \
    pidfd_open:error=EMFILE:when=2 pidfd_open:error=ENOSYS:when=1+ close:error=EINTR:when=60; do
    try "$fault" $n >> failures &
    n=$((n + 1))
    [ $((n % 8)) != 0 ] || wait         # they wait more than they compute
done
wait
[ -s failures ] && cat failures || echo "all faults are survived"
