# timeout: 200
# skip-asan: the sources are the same in all builds
# skip-gc-stress: the sources are the same in all builds
# aiovm.h and all programs that show how it is used compile without a warning, in every standard, with each compiler there is.
root=$(cd "$(dirname "$0")/../.." && pwd)
strict="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsyntax-only"
printf '#include <aiovm.h>\nint used(aiovm *vm);\nint used(aiovm *vm)\n{\n    aiovm_value v = AIOVM_ABSENT;\n    return (int)aiovm_eval(vm, "1", AIOVM_ZTS, 0, &v);\n}\n' > header.c
cp header.c header.cc
# What there is not is said to be well: the expected output is the same on every machine.
for compiler in gcc clang; do
    for std in c99 c11 c17 c2x gnu11; do
        if command -v $compiler > /dev/null; then $compiler -std=$std $strict -I"$root/include" header.c || continue; fi
        echo "$compiler $std: no warning"
    done
done
for compiler in g++ clang++; do
    for std in c++11 c++14 c++17 c++20; do
        if command -v $compiler > /dev/null; then $compiler -std=$std $strict -I"$root/include" header.cc || continue; fi
        echo "$compiler $std: no warning"
    done
done
strict="-std=gnu11 -Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Wno-overlength-strings -Werror -fsyntax-only -D_GNU_SOURCE"
for compiler in gcc clang; do
    warned=
    for file in "$root"/tests/embed/*.c "$root"/examples/embed/*.c; do
        library=
        case $file in
        # With the library's inside, which is no matter of this test.
        */faults.c | */bytecode_fuzz.c | */bytecode_forged.c) continue ;;
        */uv_host.c) library=libuv ;;
        */glib_host.c) library=glib-2.0 ;;
        esac
        [ -z "$library" ] || pkg-config --exists $library || continue
        if command -v $compiler > /dev/null; then
            $compiler $strict -I"$root" -I"$root/include" -DAIOVM_VERSION='""' \
                $([ -z "$library" ] || pkg-config --cflags $library) "$file" || warned=1
        fi
    done
    [ -n "$warned" ] || echo "$compiler: no warning in the programs"
done
