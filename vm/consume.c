/* Natives that walk a generator to its end, without a C recursion for each item.
 *
 * sum(g), any(g), all(g), list(g), tuple(g), set(g), sorted(g) and sep.join(g) of an idle generator run as a frame on
 * the thread's stack whose code is one of the stubs below: a loop of ordinary instructions, so that a step of the
 * generator is what it is in a `for`. Registers: 0 to 2 the loop's state, 3 the result under way, 4 the item. Stubs
 * that collect call the native itself with the list in the generator's place: from register 4 on stand it and its
 * arguments.
 *
 * The stubs are CODE_NATIVE: no traceback, no frame object shows them. They are made at first use, per VM.
 */
#include "interp.h"
#include "list.h"
#include "native.h"
#include "set.h"

enum { STATE = 0, ACC = 3, ITEM = 4, NREGS = 7 };

/* FORITER at word 0, what is done with the item, FORLOOP back to 0. */
#define LOOP_HEAD(DONE)     MAKE_ABC(OP_FORITER, STATE, ITEM, 0), (insn)(DONE)-2
#define LOOP_BACK(AT, ITEM) MAKE_ABC(OP_FORLOOP, STATE, ITEM, 0), (insn) - ((AT) + 2)

static const insn sum_words[] = {
    LOOP_HEAD(5), MAKE_ABC(OP_ADD, ACC, ACC, ITEM), LOOP_BACK(3, ITEM), MAKE_ABC(OP_RETURN, ACC, 0, 0), /* 5 */
};
#define TEST_WORDS(JUMP, AT_JUMP, AT_END)                                           \
    {                                                                               \
        LOOP_HEAD(6), MAKE_ABC(JUMP, ITEM, 0, 0), 4 /* to 8 */, LOOP_BACK(4, ITEM), \
            MAKE_ABC(AT_END, ACC, 0, 0),                                  /* 6 */   \
            MAKE_ABC(OP_RETURN, ACC, 0, 0), MAKE_ABC(AT_JUMP, ACC, 0, 0), /* 8 */   \
            MAKE_ABC(OP_RETURN, ACC, 0, 0),                                         \
    }
static const insn any_words[] = TEST_WORDS(OP_JT, OP_LOADTRUE, OP_LOADFALSE);
static const insn all_words[] = TEST_WORDS(OP_JF, OP_LOADFALSE, OP_LOADTRUE);
static const insn list_words[] = {
    LOOP_HEAD(5), MAKE_ABC(OP_LISTAPPEND, ACC, ITEM, 0), LOOP_BACK(3, ITEM), MAKE_ABC(OP_RETURN, ACC, 0, 0), /* 5 */
};
static const insn tuple_words[] = {
    LOOP_HEAD(5),
    MAKE_ABC(OP_LISTAPPEND, ACC, ITEM, 0),
    LOOP_BACK(3, ITEM),
    MAKE_ABC(OP_LISTTOTUPLE, ACC, ACC, 0), /* 5 */
    MAKE_ABC(OP_RETURN, ACC, 0, 0),
};
static const insn set_words[] = {
    LOOP_HEAD(5), MAKE_ABC(OP_SETADD, ACC, ITEM, 0), LOOP_BACK(3, ITEM), MAKE_ABC(OP_RETURN, ACC, 0, 0), /* 5 */
};
/* Here ITEM is ACC + 4: the window of the call lies between. */
static const insn call1_words[] = {
    MAKE_ABC(OP_FORITER, STATE, NREGS, 0),  3,
    MAKE_ABC(OP_LISTAPPEND, ACC, NREGS, 0), LOOP_BACK(3, NREGS),
    MAKE_ABC(OP_MOVE, 5, ACC, 0), /* 5 */
    MAKE_ABC(OP_CALL, ACC, 4, 1),           MAKE_ABC(OP_RETURN, ACC, 0, 0),
};
static const insn call2_words[] = {
    MAKE_ABC(OP_FORITER, STATE, NREGS, 0),  3,
    MAKE_ABC(OP_LISTAPPEND, ACC, NREGS, 0), LOOP_BACK(3, NREGS),
    MAKE_ABC(OP_MOVE, 6, ACC, 0), /* 5 */
    MAKE_ABC(OP_CALL, ACC, 4, 2),           MAKE_ABC(OP_RETURN, ACC, 0, 0),
};

static const struct stub {
    const insn *words;
    uint32_t n;
} stubs[CONSUME_COUNT] = {
#define STUB(W)                 \
    {                           \
        W, sizeof W / sizeof *W \
    }
    [CONSUME_SUM] = STUB(sum_words),     [CONSUME_ANY] = STUB(any_words),     [CONSUME_ALL] = STUB(all_words),
    [CONSUME_LIST] = STUB(list_words),   [CONSUME_TUPLE] = STUB(tuple_words), [CONSUME_SET] = STUB(set_words),
    [CONSUME_CALL1] = STUB(call1_words), [CONSUME_CALL2] = STUB(call2_words),
#undef STUB
};

static code *consume_code(vm *vm, enum consume what)
{
    value *slot = &vm->stub_codes[2 + what];
    if (LIKELY(!value_is_unbound(*slot))) return AS(code, *slot);
    const struct stub *s = &stubs[what];
    code *c = stub_new(vm, N(vm, __next__), N(vm, __next__), NREGS + 1, 0, s->words, s->n, NULL, NULL);
    if (!c) return NULL;
    c->flags = CODE_NATIVE;
    *slot = value_obj(c);
    return c;
}

/* Is v a generator that a loop can step now? */
static bool is_idle_generator(value v)
{
    if (!value_is_exact(v, TYPE_GENERATOR)) return false;
    unsigned st = frame_state(AS(frame, v));
    return st == FRAME_CREATED || st == FRAME_SUSPENDED;
}

static enum call_kind consume_push(vm *vm, frame *F, enum consume what, value callee, value *args, uint32_t argc,
                                   uint32_t dst, uint32_t window, frame **nf)
{
    value acc = V_UNBOUND;
    code *c = consume_code(vm, what);
    if (!c) return CALL_ERROR;
    if (what == CONSUME_SUM) {
        acc = argc > 1 && !value_is_unbound(args[1]) ? args[1] : value_int(0);
    } else if (what == CONSUME_SET) {
        set *s = set_new(vm, TYPE_SET);
        if (!s) return CALL_ERROR;
        acc = value_obj(s);
    } else if (what != CONSUME_ANY && what != CONSUME_ALL) {
        list *l = list_new(vm, 0);
        if (!l) return CALL_ERROR;
        acc = value_obj(l);
    }
    frame *f = stack_push(vm, vm->thread, F, c, NULL, RET_MAKE(dst, RET_PLAIN), 0);
    if (!f) return CALL_ERROR;
    frame_set_window(f, F, window);
    f->r[STATE] = args[what == CONSUME_CALL2];
    f->r[STATE + 1] = value_int(0);
    f->r[ACC] = acc;
    if (what == CONSUME_CALL1 || what == CONSUME_CALL2) {
        f->r[ACC + 1] = callee;
        f->r[ACC + 2] = args[0];
    }
    *nf = f;
    return CALL_FRAME;
}

bool consume_native(vm *vm, frame *F, native *n, value *args, uint32_t argc, uint32_t dst, uint32_t window, frame **nf,
                    enum call_kind *result)
{
    enum consume what = (enum consume)(n->def->flags >> NATIVE_CONSUME_SHIFT & 15);
    if (argc == 0 || !is_idle_generator(args[what == CONSUME_CALL2 && argc == 2])) return false;
    if (what == CONSUME_SUM) {
        if (argc > 2 || (argc == 2 && !value_is_int(args[1]) && !value_is_float(args[1]))) return false;
    } else if (argc != 1u + (what == CONSUME_CALL2) || (n->owner && !value_isa(vm, args[0], n->owner))) {
        return false;
    }
    *result = consume_push(vm, F, what, value_obj(n), args, argc, dst, window, nf);
    return true;
}

bool consume_type(vm *vm, frame *F, type *t, value *args, uint32_t argc, uint32_t dst, uint32_t window, frame **nf,
                  enum call_kind *result)
{
    enum consume what = t == T(vm, LIST)    ? CONSUME_LIST
                        : t == T(vm, TUPLE) ? CONSUME_TUPLE
                        : t == T(vm, SET)   ? CONSUME_SET
                                            : CONSUME_COUNT;
    if (what == CONSUME_COUNT || argc != 1 || !is_idle_generator(args[0])) return false;
    *result = consume_push(vm, F, what, V_UNBOUND, args, argc, dst, window, nf);
    return true;
}
