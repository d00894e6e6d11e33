/* The memory limit holds for what libraries take, too: each of these scripts of a sandbox takes all it can get, by one
 * way, and the process must not have grown by much more than the limit. */
#include "counting.h"

#include <malloc.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SLACK = 3 };
#else
enum { SLACK = 1 };
#endif
enum { LIMIT = 16, GROWTH = 6 * LIMIT * SLACK }; /* MiB: freed memory goes back to the system late */

static const char *const scripts[] = {
    /* clang-format off */
    "import zlib\n"
    "l = []\n"
    "try:\n"
    "    while True: l.append(zlib.compressobj())\n"
    "except MemoryError: leak = len(l)",
    "import zlib\n"
    "l = []\n"
    "try:\n"
    "    while True: l.append(zlib.decompressobj())\n"
    "except MemoryError: leak = len(l)",
    "import zlib\n"
    "l = []\n"
    "d = zlib.compressobj()\n"
    "try:\n"
    "    while True: l.append(d.copy())\n"
    "except MemoryError: leak = len(l)",
    "import re\n"
    "l = []\n"
    "try:\n"
    "    i = 0\n"
    "    while True: i += 1; l.append(re.compile('(a|b|c)*%d' % i))\n"
    "except MemoryError: leak = len(l)",
    "import re\n"
    "try: leak = re.compile('((a{1,1000}){1,1000}){1,100}')\n"
    "except (MemoryError, re.error, OverflowError) as e: leak = type(e), str(e)[:50]",
    "import re\n"
    "try: leak = re.match('(.|\\n)*', 'a' * 10000000)\n"
    "except (MemoryError, re.error, RuntimeError) as e: leak = type(e), str(e)[:50]",
    "import ssl\n"
    "l = []\n"
    "try:\n"
    "    while True: l.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))\n"
    "except MemoryError: leak = len(l)",
    "import ssl\n"
    "c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE\n"
    "l = []\n"
    "try:\n"
    "    while True:\n"
    "        l.append(c.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()))\n"
    "except MemoryError: leak = len(l)",
    "import ssl\n"
    "b = ssl.MemoryBIO()\n"
    "try:\n"
    "    while True: b.write(b'x' * 1000000)\n"
    "except MemoryError: leak = 1",
    "import hashlib\n"
    "l = []\n"
    "try:\n"
    "    while True: l.append(hashlib.sha512())\n"
    "except MemoryError: leak = len(l)",
    "import zlib\n"
    "leak = len(zlib.compress(b'0' * 10**7, 9))\n"
    "try: leak = zlib.decompress(zlib.compress(b'0' * 2 * 10**7) , bufsize=1 << 30)[:1]\n"
    "except MemoryError: leak = 'mem'",
    "l = []\n"
    "try:\n"
    "    while True: l.append(1 << 1000000)\n"
    "except MemoryError: leak = len(l)",
    "import threading\n"
    "l = []\n"
    "try:\n"
    "    while True: l.append(threading.Lock())\n"
    "except MemoryError: leak = len(l)",
    "try: leak = 'x' * 10**9\n"
    "except MemoryError: leak = 1",
    "import sys\n"
    "try: leak = compile('x = 1\\n' * 2000000, 'f', 'exec')\n"
    "except MemoryError: leak = 1",
    "import struct\n"
    "try: leak = struct.pack('1000000000s', b'')\n"
    "except MemoryError: leak = 1",
    "import array\n"
    "try: leak = array.array('q', [0]) * 10**9\n"
    "except MemoryError: leak = 1",
    /* clang-format on */
};

int main(void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        aiovm_config c = {.size = sizeof c, .reports = "all:off"};
        aiovm_sandbox(&c);
        c.memory_hard = (size_t)LIMIT << 20;
        c.wall_ns = INT64_C(600) * 1000000000; /* not what is tested, and a collection at every safepoint takes long */
        c.fuel = UINT64_MAX;
        aiovm *vm = aiovm_open(&c);
        size_t before = resident();
        aiovm_status s = aiovm_eval(vm, scripts[i], AIOVM_ZTS, "<script>", NULL);
        if (s != AIOVM_OK && s != AIOVM_NOMEM && strcmp(aiovm_error_type(vm), "MemoryError") != 0) {
            failures++;
            printf("%s\n    %s: %s\n", scripts[i], aiovm_error_type(vm), aiovm_error_message(vm));
        }
        size_t now = resident(), grown = now > before ? (now - before) >> 20 : 0;
        if (grown > GROWTH) {
            failures++;
            printf("%s\n    took %zu MiB\n", scripts[i], grown);
        }
        CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
        malloc_trim(0);
    }
    puts(failures ? "failed" : "ok");
    return failures != 0;
}
