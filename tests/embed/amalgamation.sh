# timeout: 300
# skip-asan: nothing but more time
# skip-gc-stress: nothing but more time
# The library as one file compiles, without any of our headers but aiovm.h, and runs. It takes most of a minute of one core, so
# only CI does it (CI=1 in the environment).
if [ -z "$CI" ]; then cat "${0%.sh}.out"; exit 0; fi
root=$(cd "$(dirname "$0")/../.." && pwd)
"$root/tools/amalgamate" "$(dirname "$AIO")" one || exit 1
ls one
cc -O0 -w -fvisibility=hidden -fno-strict-aliasing -ffp-contract=off -c one/aiovm.c -o aiovm.o || exit 1
cc -Ione "$root/examples/embed/hello.c" aiovm.o -o hello -ltommath -lutf8proc -lm -pthread -ldl && ./hello
cc -Ione "$root/examples/embed/thread_pool.c" aiovm.o -o pool -ltommath -lutf8proc -lm -pthread -ldl && ./pool
