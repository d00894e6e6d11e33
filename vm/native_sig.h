/* Scanning signature strings, and binding arguments by them. */
#ifndef AIO_NATIVE_SIG_H
#define AIO_NATIVE_SIG_H

#include "vm.h"

enum sig_kind { SIG_PARAM, SIG_SLASH, SIG_STAR, SIG_VARARGS, SIG_VARKW };
typedef struct sig_param {
    const char *name;
    size_t len;
    enum sig_kind kind;
    bool has_default;
} sig_param;

typedef struct sig_info {
    uint8_t nparams;  /* named parameters */
    uint8_t nposonly; /* of which the first so many can't be keywords */
    uint8_t min, max; /* required and possible positional ones */
    bool raw;         /* has *args or **kw */
    bool varkw;       /* has **kw */
    bool kwreq;       /* a keyword-only parameter is required */
} sig_info;

typedef struct sig_target {
    const char *sig;
    sig_info info;
    uint8_t skip; /* 1: the first argument is the receiver, not counted in messages */
    value name;   /* str */
    tuple *names; /* interned names of the parameters, or NULL */
    value (*fullname)(vm *, const struct sig_target *); /* "list.append" */
    const void *ud;
} sig_target;

const char *sig_first(const char *sig);
const char *sig_next(const char *p, sig_param *out); /* NULL: no more */
void sig_scan(const char *sig, sig_info *out);
void sig_close(vm *vm); /* the VM ends */
size_t sig_name_len(const char *sig);
bool sig_bind(vm *vm, const sig_target *b, value *args, uint32_t nargs, value kwnames, value *out);

#endif
