/* A VM is closed while threads that its scripts have started sit in calls that block. */
#include "check.h"

#include <time.h>

static const char *const scripts[] = {
    "import socket\na, b = socket.socketpair()\nwait = lambda: a.recv(1)",
    "import socket\na = socket.create_server(('127.0.0.1', 0))\nwait = lambda: a.accept()",
    "import os\nr, w = os.pipe()\nwait = lambda: os.read(r, 1)",
    "import os\nr, w = os.pipe()\nwait = lambda: os.write(w, b'x' * 1000000)",
    "import os\nr, w = os.pipe()\nf = os.fdopen(r)\nwait = lambda: f.read()",
    "import os\nr, w = os.pipe()\nf = os.fdopen(w, 'wb', 0)\nwait = lambda: f.write(b'x' * 1000000)",
    "import select, os\nr, w = os.pipe()\nwait = lambda: select.select([r], [], [])",
    "import select, os\np = select.epoll()\nwait = lambda: p.poll()",
    "import time\nwait = lambda: time.sleep(1000)",
    "import threading\nl = threading.Lock(); l.acquire()\nwait = lambda: l.acquire()",
    "import queue\nq = queue.Queue()\nwait = lambda: q.get()",
    "import asyncio\nwait = lambda: asyncio.run(asyncio.sleep(1000))",
    "import subprocess\np = subprocess.Popen(['sleep', '4'], stdin=-3, stdout=-3, stderr=-3)\nwait = lambda: p.wait()",
    "def wait():\n    while True: pass",
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        aiovm_config c = {.size = sizeof c, .caps = AIOVM_CAP_ALL, .reports = "all:off"};
        aiovm *vm = aiovm_open(&c);
        OK(aiovm_eval(vm, scripts[i], AIOVM_ZTS, NULL, NULL));
        OK(aiovm_eval(vm,
                      "import threading, time\n"
                      "for i in range(3): threading.Thread(target=wait, daemon=True).start()\n"
                      "time.sleep(0.02)",
                      AIOVM_ZTS, NULL, NULL));
        double begin = now();
        aiovm_status s = aiovm_close(vm);
        if (s != AIOVM_OK || now() - begin > 5) {
            failures++;
            printf("%s\n    %s after %.3f s\n", scripts[i], aiovm_status_name(s), now() - begin);
        }
    }
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
