# A TLS client against openssl s_server, a TLS server against openssl s_client.
here=$(dirname "$0")
: >server.log      # grep may look before the server has opened it
openssl s_server -accept 127.0.0.1:0 -cert "$here/tls/server.pem" -key "$here/tls/server.key" -rev >>server.log 2>&1 &
server=$!
for i in $(seq 100); do grep -q ACCEPT server.log && break; sleep 0.05; done
port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' server.log)
cat >client.aio <<X
import asyncio, ssl
async def main():
    context = ssl.create_default_context(cafile="$here/tls/ca.pem")
    reader, writer = await asyncio.open_connection("127.0.0.1", $port, ssl=context)
    for word in (b"hello", b"x" * 2000):
        writer.write(word + b"\n")
        line = await reader.readline()
        print(len(line), line[:10], line.strip() == word[::-1])
    writer.close()
    await writer.wait_closed()
    print("closed")
asyncio.run(main())
X
"$AIO" client.aio
kill $server
cat >server.aio <<X
import asyncio, ssl
async def serve(reader, writer):
    print("got", await reader.readline())
    writer.write(b"pong\n")
    await writer.drain()
    print("then", await reader.read())
    writer.close()
    done.set()
async def main():
    global done
    done = asyncio.Event()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain("$here/tls/server.pem", "$here/tls/locked.key", password="secret")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    with open("port.tmp", "w") as f:
        f.write(str(server.sockets[0].getsockname()[1]))
    import os
    os.rename("port.tmp", "port")
    await done.wait()
    server.close()
asyncio.run(main())
X
"$AIO" server.aio >server.out 2>&1 &
pid=$!
for i in $(seq 200); do [ -e port ] && break; sleep 0.05; done
(echo ping; sleep 0.3) | openssl s_client -connect 127.0.0.1:$(cat port) -CAfile "$here/tls/ca.pem" -verify_return_error -servername localhost -quiet -no_ign_eof 2>client.log
wait $pid
cat server.out
grep -c "verify return:1" client.log
