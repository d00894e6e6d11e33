/* A host that has set its locale: the scripts' results are the same in each. locale_german.sh runs this program in a
 * German one. */
#include "check.h"

#include <locale.h>

int main(int argc, char **argv)
{
    char host[20];
    bool german = setlocale(LC_ALL, "") != NULL && argc > 1;
    snprintf(host, sizeof host, "%.1f", 1.5);
    if (argc > 1 && strcmp(host, argv[1]) != 0) printf("the host prints %s\n", host), failures++;
    aiovm *vm = open_with(0);
    CHECK(evals_to(vm, "[1.5, float('2.5'), '%.2f' % 3.14159, f'{1234567.891:,.2f}', str(1e300), 0.1 + 0.2]",
                   "[1.5, 2.5, '3.14', '1,234,567.89', '1e+300', 0.30000000000000004]"));
    CHECK(evals_to(
        vm,
        "[__import__('json').dumps([1.5]), __import__('json').loads('[2.5]'), round(2.675, 2), complex('1.5+2.5j')]",
        "['[1.5]', [2.5], 2.67, (1.5+2.5j)]"));
    CHECK(evals_to(
        vm,
        "['\\xc4'.lower(), '\\xe4'.isalpha(), 'I'.lower(), '\\xdf'.upper(), b'\\xe4'.isalpha(), sorted('b\\xe4az')]",
        "['\xc3\xa4', True, 'i', 'SS', False, ['a', 'b', 'z', '\xc3\xa4']]"));
    CHECK(evals_to(
        vm,
        "__import__('struct').pack('<d', 1.5).hex(), 3.25.hex(), float.fromhex('0x1.8p+0'), repr(1e-7), divmod(7.5, 2)",
        "('000000000000f83f', '0x1.a000000000000p+1', 1.5, '1e-07', (3.0, 1.5))"));
    FAILS(run(vm, "float('1,5')"), "ValueError", "could not convert string to float: '1,5'");
    CHECK(evals_to(vm, "__import__('time').strftime('%a %b', (2024, 5, 6, 0, 0, 0, 0, 127, 0))", "'Mon May'"));
    snprintf(host, sizeof host, "%.1f", 1.5);
    if (argc > 1) CHECK(german && strcmp(host, argv[1]) == 0); /* and the host's is untouched */
    return finish(vm);
}
