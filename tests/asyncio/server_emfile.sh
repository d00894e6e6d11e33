# Without descriptors for another connection the server reports, waits a second and goes on; it does not spin.
set -e
cat > emfile.aio <<'END'
import asyncio, errno, os, socket, time

async def main():
    loop = asyncio.get_running_loop()
    seen = []
    loop.set_exception_handler(lambda l, c: seen.append((c["message"], c["exception"].errno == errno.EMFILE)))

    async def handle(r, w):
        w.write(await r.read(5))
        w.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    c = socket.socket()
    c.setblocking(False)
    used = []
    try:
        while True:
            used.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as e:
        print("full", e.errno == errno.EMFILE)
    await loop.sock_connect(c, server.sockets[0].getsockname())
    await loop.sock_sendall(c, b"hello")
    busy = time.process_time()
    await asyncio.sleep(0.3)
    print(seen, time.process_time() - busy < 0.1)
    for fd in used:
        os.close(fd)
    print(await asyncio.wait_for(loop.sock_recv(c, 10), 5))
    print(len(seen))
    c.close()
    server.close()
    await server.wait_closed()

asyncio.run(main())
END
ulimit -n 40
exec "$AIO" emfile.aio
