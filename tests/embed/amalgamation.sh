# timeout: 600
# skip-asan: nothing but more time
# skip-gc-stress: nothing but more time
# The library as one file compiles, without any of our headers but aiovm.h, and runs. It takes most of a minute of one core, so
# only CI does it (CI=1 in the environment).
if [ -z "$CI" ]; then cat "${0%.sh}.out"; exit 0; fi
root=$(cd "$(dirname "$0")/../.." && pwd)
"$root/tools/amalgamate" "$(dirname "$AIO")" one || exit 1
ls one
for compiler in gcc clang; do
    echo "== $compiler"
    command -v $compiler > /dev/null || { sed -n '/^hello/,$ { /^==/ q; p }' "${0%.sh}.out"; continue; }
    # Errors in newer compilers, these, and a mistake of the tool that makes the file.
    $compiler -O0 -w -Werror=implicit-function-declaration -Werror=incompatible-pointer-types -fvisibility=hidden \
        -fno-strict-aliasing -ffp-contract=off -c one/aiovm.c -o aiovm.o || exit 1
    for program in hello thread_pool; do
        $compiler -Ione "$root/examples/embed/$program.c" aiovm.o -o $program -ltommath -lutf8proc -lm -pthread -ldl && ./$program
    done
done
