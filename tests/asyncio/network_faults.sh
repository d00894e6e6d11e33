# System calls fail under a server and its clients (strace injects the errors): every client ends, and after a fault the next
# one is served. Where strace or ptrace is not to be had the test says so on stderr and passes.
cat > faults.aio <<'END'
import asyncio

async def handle(r, w):
    try:
        while data := await r.read(100):
            w.write(data)
            await w.drain()
    except OSError:
        pass
    w.close()

async def client(addr):
    try:
        r, w = await asyncio.open_connection(*addr)
        for i in range(3):
            w.write(b"ping")
            await w.drain()
            if await r.readexactly(4) != b"ping":
                return "wrong"
        w.close()
        await w.wait_closed()
        return "ok"
    except (OSError, asyncio.IncompleteReadError):
        return "failed"

async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    addr = server.sockets[0].getsockname()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    results = []
    for i in range(4):
        try:
            results.append(await asyncio.wait_for(client(addr), 10))
        except TimeoutError:
            results.append("hangs")
    server.close()
    await server.wait_closed()
    print(results[-1], "hangs" in results, "wrong" in results, results.count("ok") >= 3)

asyncio.run(main())
END
expected="ok False False True"
if ! strace -qq -o /dev/null -e trace=close true 2> refused; then
    echo "skipped: strace does not work here" >&2
    echo "all faults are survived"
    exit 0
fi
bad=0
for fault in accept4:error=EMFILE:when=1 accept4:error=ECONNABORTED:when=2 accept4:error=EINTR:when=1 accept4:error=EPROTO:when=1 \
    connect:error=ECONNREFUSED:when=1 connect:error=EINTR:when=1 connect:error=EADDRNOTAVAIL:when=2 \
    recvfrom:error=EINTR:when=1 recvfrom:error=ECONNRESET:when=2 recvfrom:error=EAGAIN:when=3+2 recvfrom:error=ETIMEDOUT:when=3 \
    sendto:error=EINTR:when=1 sendto:error=EPIPE:when=2 sendto:error=EAGAIN:when=1+2 sendto:error=ENOBUFS:when=2 \
    epoll_ctl:error=ENOSPC:when=4 epoll_ctl:error=ENOMEM:when=6 epoll_wait:error=EINTR:when=1+2 epoll_pwait2:error=EINTR:when=1 \
    epoll_pwait2:error=ENOSYS:when=1+ socket:error=EMFILE:when=3 getsockopt:error=ENOBUFS:when=1 close:error=EINTR:when=11+; do
    call=${fault%%:*}
    got=$(strace -f -qq -o trace -e trace=$call -e inject=$fault "$AIO" faults.aio 2> errors | tail -1)
    [ "$got" = "$expected" ] && continue
    echo "$fault: $got"
    bad=1
done
[ $bad = 0 ] && echo "all faults are survived"
