# What `meson install` gives: header, both libraries, pkg-config, CMake, man page; nothing of the inside is visible in either
# library; a program links with each of them.
build=$(cd "$(dirname "$AIO")" && pwd)
DESTDIR=$PWD/root meson install -C "$build" --no-rebuild --quiet > install.log 2>&1 || cat install.log
lib=$(dirname "$(find root -name libaiovm.a)")
prefix=${lib%%/lib*}
for file in include/aiovm.h share/man/man3/aiovm.3 share/man/man1/aio.1 bin/aio; do [ -e "$prefix/$file" ] && echo "$file"; done
ls "$lib" | grep -v '^python' | sort
if command -v man > /dev/null; then
    for page in man1/aio.1 man3/aiovm.3; do MANROFFSEQ= man --warnings -l "$prefix/share/man/$page" 2>&1 > /dev/null; done
fi
echo "visible in the shared library, beside aiovm_:"
nm -D --defined-only "$lib/libaiovm.so" | awk '{ print $3 }' | grep -vE '^aiovm_|^AIOVM_0' | grep -vE '^__(asan|tsan|ubsan|odr)' | head -3
echo "visible in the static library, beside aiovm_:"
nm --defined-only --extern-only "$lib/libaiovm.a" | awk 'NF == 3 { print $3 }' | grep -vE '^aiovm_' | grep -vE '^__(asan|tsan|ubsan|odr)' | head -3
cat > host.c <<'END'
#include <aiovm.h>
#include <stdio.h>
int dict_get = 1, gc_new = 2; /* names of the library's inside are free */
int main(void)
{
    aiovm *vm = aiovm_open(NULL);
    aiovm_value v;
    if (!vm || aiovm_eval(vm, "sum(range(10))", AIOVM_ZTS, NULL, &v)) return 1;
    printf("%d\n", (int)aiovm_to_int(vm, v, 0) + dict_get - 1);
    return aiovm_close(vm);
}
END
export PKG_CONFIG_PATH=$PWD/$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$PWD/root
flags=
nm "$lib/libaiovm.so" | grep -q __asan_init && flags=-fsanitize=address,undefined
if [ -z "$flags" ]; then
    cc host.c -o shared $(pkg-config --cflags --libs aiovm) -Wl,-rpath,"$PWD/$lib" && ./shared
    cc host.c -o static $(pkg-config --cflags aiovm) -Wl,-Bstatic $(pkg-config --libs-only-L aiovm) -laiovm -Wl,-Bdynamic \
        $(pkg-config --static --libs-only-l --libs-only-other aiovm | sed 's/-laiovm//') && ./static
    if command -v cmake > /dev/null; then
        printf 'cmake_minimum_required(VERSION 3.10)\nproject(host C)\nfind_package(aiovm 0.1 REQUIRED)\nadd_executable(host host.c)\ntarget_link_libraries(host aiovm::aiovm)\nadd_executable(host_static host.c)\ntarget_link_libraries(host_static aiovm::static)\n' > CMakeLists.txt
        (cmake -G Ninja -S . -B cm -DCMAKE_PREFIX_PATH="$PWD/$prefix" && cmake --build cm) > cmake.log 2>&1 || cat cmake.log
        cm/host && cm/host_static
    else
        printf '45\n45\n'
    fi
else
    printf '45\n45\n45\n45\n'
fi
