#include <aiovm.h>
int main() { aiovm_config c = {}; c.size = sizeof c; aiovm *vm = aiovm_open(&c); return aiovm_close(vm); }
