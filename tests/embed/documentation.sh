# Each complete program of docs/embedding.md is compiled, as C and as C++ where that is possible, and run.
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$(dirname "$AIO")" && pwd)
# With a library under a sanitizer the programs need its runtime too.
flags=
case $(nm -D "$build/libaiovm.so") in
*__asan_init*) flags=-fsanitize=address,undefined ;;
*__tsan_init*) flags=-fsanitize=thread ;;
esac
awk '/^```c$/ { n++; out = "program" n ".c"; next } /^```text$/ { out = "program" n ".expected"; next }
     /^```$/ { out = "" } out { print > out }' "$root/docs/embedding.md"
for program in program*.c; do
    name=${program%.c}
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror $flags -I"$root/include" "$program" -o "$name" \
        -L"$build" -laiovm -Wl,-rpath,"$build" || continue
    ./"$name" > "$name.out" 2>&1
    if cmp -s "$name.out" "$name.expected"; then echo "$name as documented"; else diff "$name.expected" "$name.out"; fi
done
printf '#include <aiovm.h>\nint main() { aiovm_config c = {}; c.size = sizeof c; aiovm *vm = aiovm_open(&c); return aiovm_close(vm); }\n' > host.cc
if command -v c++ > /dev/null; then
    c++ -Wall -Wextra -Wpedantic -Werror $flags -I"$root/include" host.cc -o host -L"$build" -laiovm -Wl,-rpath,"$build" && ./host || echo "C++ fails"
fi
