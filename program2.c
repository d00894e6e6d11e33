#include <aiovm.h>
#include <stdio.h>

typedef struct counter { int64_t n; } counter;

static aiovm_status counter_init(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    return aiovm_unpack(vm, a, "|i", &((counter *)a->self)->n);
}
static aiovm_status counter_add(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    counter *c = a->self;
    int64_t by = 1;
    if (aiovm_unpack(vm, a, "|i", &by)) return AIOVM_ERROR;
    if (by < 0) return aiovm_raise(vm, "ValueError", "%ld is negative", (long)by);
    return aiovm_int(vm, c->n += by, out);
}
static aiovm_status counter_len(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    return aiovm_int(vm, ((counter *)a->self)->n, out);
}
static void counter_gone(void *data, void *ud)
{
    (void)ud;
    printf("a counter ended at %d\n", (int)((counter *)data)->n);
}
static const aiovm_func methods[] = {
    {"add(self, by=1)", counter_add, "Add to it; gives the sum.", 0}, {"__len__(self)", counter_len, NULL, 0}, {0}};
static const aiovm_class counter_class = {.name = "host.Counter", .size = sizeof(counter), .finalize = counter_gone,
                                          .init_signature = "Counter(start=0)", .init = counter_init, .methods = methods};

int main(void)
{
    aiovm *vm = aiovm_open(NULL);
    aiovm_value cls;
    if (!vm || aiovm_class_make(vm, &counter_class, NULL, &cls) || aiovm_module_set(vm, "host", "Counter", cls)) return 1;
    aiovm_eval(vm, "from host import Counter\nc = Counter(5)\nprint(c.add(), c.add(by=2), len(c))\n", AIOVM_ZTS, NULL, NULL);
    if (aiovm_eval(vm, "c.add('3')", AIOVM_ZTS, NULL, NULL)) printf("%s\n", aiovm_error_message(vm));
    if (aiovm_eval(vm, "c.add(-1)", AIOVM_ZTS, NULL, NULL)) printf("%s\n", aiovm_error_message(vm));
    return aiovm_close(vm);
}
