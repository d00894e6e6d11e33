/* The limits of descriptors, tasks and output, by every way a script can get at them; and that a VM that is closed
 * leaves no descriptor open. */
#include "check.h"

#include <dirent.h>

static const struct attempt {
    const char *source, *expected; /* the repr of `leak` */
} attempts[] = {
    /* clang-format off */
    {"import os\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(os.open('/dev/null', 0))\n"
     "except OSError as e: leak = len(l), e.errno\n"
     "for fd in l: os.close(fd)\n"
     "l = [open('/dev/null') for _ in range(5)]",
     "(20, 24)"},
    {"import os\n"
     "l = []\n"
     "try:\n"
     "    while True: l += os.pipe()\n"
     "except OSError as e: leak = len(l), e.errno",
     "(20, 24)"},
    {"import os\n"
     "l = []\n"
     "a = os.open('/dev/null', 0)\n"
     "try:\n"
     "    while True: l.append(os.dup(a))\n"
     "except OSError as e: leak = len(l), e.errno",
     "(19, 24)"},
    {"import socket\n"
     "l = []\n"
     "try:\n"
     "    while True: l += socket.socketpair()\n"
     "except OSError as e: leak = len(l), e.errno\n"
     "l.clear()\n"
     "import gc; gc.collect()\n"
     "l = [socket.socketpair() for _ in range(5)]",
     "(20, 24)"},
    {"import socket\n"
     "a = socket.socket()\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(a.dup())\n"
     "except OSError as e: leak = len(l), e.errno",
     "(19, 24)"},
    {"import socket\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(socket.socket().detach())\n"
     "except OSError as e: leak = len(l), e.errno",
     "(20, 24)"},
    {"import select\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(select.epoll())\n"
     "except OSError as e: leak = len(l), e.errno",
     "(20, 24)"},
    {"import selectors\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(selectors.EpollSelector())\n"
     "except OSError as e: leak = len(l), e.errno",
     "(20, 24)"},
    {"import os\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(os.pidfd_open(os.getpid()))\n"
     "except OSError as e: leak = len(l), e.errno",
     "(20, 24)"},
    {"import os\n"
     "a, b = os.pipe()\n"
     "l = []\n"
     "for i in range(100):\n"
     "    f = os.fdopen(os.dup(a)); f.close()\n"
     "leak = 'fine'",
     "'fine'"},
    {"import subprocess\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(subprocess.Popen(['true'], stdin=-1, stdout=-1, stderr=-1))\n"
     "except OSError as e: leak = len(l), e.errno\n"
     "for p in l: p.communicate()\n"
     "leak = leak, [subprocess.run(['true'], capture_output=True).returncode for i in range(12)]",
     "((5, 24), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])"},
    {"import os\n"
     "l = []\n"
     "a = os.open('/dev/null', 0)\n"
     "try:\n"
     "    for i in range(100): l.append(os.dup2(a, 100 + i))\n"
     "except OSError as e: leak = len(l), e.errno",
     "(19, 24)"},
    {"import tempfile\n"
     "l = []\n"
     "try:\n"
     "    while True: l.append(tempfile.TemporaryFile())\n"
     "except OSError as e: leak = len(l), e.errno",
     "(10, 24)"},
    {"import asyncio\n"
     "async def m():\n"
     "    global leak\n"
     "    l = []\n"
     "    async def nop(): await asyncio.sleep(100)\n"
     "    try:\n"
     "        while True: l.append(asyncio.ensure_future(nop()))\n"
     "    except RuntimeError as e: leak = len(l), str(e)\n"
     "await m()",
     "(49, 'too many tasks: the limit of this VM is 50')"},
    {"import asyncio\n"
     "async def m():\n"
     "    global leak\n"
     "    l = []\n"
     "    try:\n"
     "        while True: l.append(await asyncio.create_subprocess_exec('sleep', '100', stdout=-1))\n"
     "    except OSError as e: leak = len(l) < 20, e.errno\n"
     "    for p in l:\n"
     "        p.kill()\n"
     "        await p.wait()\n"
     "await m()",
     "(True, 24)"},
    {"import socket, os\n"
     "a, b = socket.socketpair()\n"
     "fds = os.pipe()\n"
     "got = []\n"
     "try:\n"
     "    while True:\n"
     "        socket.send_fds(a, [b'x'], list(fds))\n"
     "        got += socket.recv_fds(b, 1, 2)[1]\n"
     "except OSError as e: leak = len(got), e.errno",
     "(16, 24)"},
    {"import asyncio\n"
     "async def m():\n"
     "    global leak\n"
     "    n = 0\n"
     "    async def client(r, w): await r.read()\n"
     "    s = await asyncio.start_server(client, '127.0.0.1', 0)\n"
     "    l = []\n"
     "    try:\n"
     "        while True: l.append(await asyncio.open_connection(*s.sockets[0].getsockname()))\n"
     "    except OSError as e: leak = len(l) < 20, e.errno\n"
     "    for r, w in l: w.close()\n"
     "    s.close()\n"
     "await m()",
     "(True, 24)"},
    {"import io, sys\n"
     "n = 0\n"
     "def fill(write):\n"
     "    global n\n"
     "    for i in range(100):\n"
     "        try: n += write()\n"
     "        except OSError: return\n"
     "fill(lambda: sys.stdout.buffer.write(b'x' * 100) + (sys.stdout.flush() or 0))\n"
     "fill(lambda: sys.stdout.write('x' * 100) + (sys.stdout.flush() or 0))\n"
     "fill(lambda: sys.stderr.write('x' * 100) + (sys.stderr.flush() or 0))\n"
     "fill(lambda: sys.__stderr__.buffer.write(b'x' * 100) + (sys.stderr.flush() or 0))\n"
     "leak = n",
     "5000"},
    /* clang-format on */
};

static int open_now(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d) return -1;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static void swallow(void *ud, int stream, const char *text, size_t n) { (void)ud, (void)stream, (void)text, (void)n; }

static void try_one(const struct attempt *a)
{
    aiovm_config c = {.size = sizeof c, .output_fn = swallow, .reports = "all:off"};
    aiovm_sandbox(&c);
    c.caps = AIOVM_CAP_ALL;
    c.fds = 20;
    c.tasks = 50;
    c.output = 5000;
    aiovm *vm = aiovm_open(&c);
    aiovm_value v;
    int before = open_now();
    OK(aiovm_eval(vm, a->source, AIOVM_ZTS, "<attempt>", NULL));
    OK(aiovm_get_global(vm, "leak", &v));
    OK(aiovm_repr(vm, v, &v));
    const char *got = aiovm_to_text(vm, v, NULL);
    if (!got || strcmp(got, a->expected) != 0) {
        failures++;
        printf("%s\n    expected %s\n    got %s\n", a->source, a->expected, got ? got : "no text");
    }
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    if (open_now() > before) {
        failures++;
        printf("%s\n    left %d descriptors open\n", a->source, open_now() - before);
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) try_one(&attempts[i]);
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
