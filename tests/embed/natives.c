/* Functions, modules and classes of the host. */
#include "check.h"

typedef struct point {
    double x, y;
    int64_t id;
} point;
static int made, finalized, ud_seen;

static void point_finalize(void *data, void *ud)
{
    finalized++;
    if (((point *)data)->id == 77) ud_seen = *(int *)ud;
}
static aiovm_status point_init(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    point *p = a->self;
    made++;
    p->id = made;
    return aiovm_unpack(vm, a, "d|d", &p->x, &p->y);
}
static aiovm_status point_move(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    point *p = a->self;
    double dx = 0, dy = 0;
    if (aiovm_unpack(vm, a, "d|d", &dx, &dy)) return AIOVM_ERROR;
    p->x += dx;
    p->y += dy;
    *out = a->argv[0];
    return AIOVM_OK;
}
static const aiovm_class point_class;
static aiovm_status point_add(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    void *other = NULL;
    if (aiovm_unpack(vm, a, "o", &point_class, &other)) return AIOVM_ERROR;
    point *p = a->self, *q = other, *sum = aiovm_new(vm, &point_class, out);
    if (!sum) return AIOVM_ERROR;
    sum->x = p->x + q->x;
    sum->y = p->y + q->y;
    return AIOVM_OK;
}
static aiovm_status point_repr(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    char text[64];
    point *p = a->self;
    snprintf(text, sizeof text, "<%d, %d>", (int)p->x, (int)p->y);
    return aiovm_text(vm, text, AIOVM_ZTS, out);
}
static aiovm_status point_origin(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    CHECK(a->self == NULL && a->argc == 1);
    return aiovm_new(vm, &point_class, out) ? AIOVM_OK : AIOVM_ERROR;
}
static aiovm_status get_x(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)vm;
    *out = aiovm_float(((point *)a->self)->x);
    return AIOVM_OK;
}
static aiovm_status set_x(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    return aiovm_unpack(vm, a, "d", &((point *)a->self)->x);
}
static const aiovm_func point_methods[] = {
    {"move(self, dx, dy=0)", point_move, "Moves it.", 0},
    {"__add__(self, other, /)", point_add, NULL, 0},
    {"__repr__(self)", point_repr, NULL, 0},
    {"origin(which)", point_origin, "A new one.", AIOVM_STATIC},
    {0},
};
static const aiovm_property point_properties[] = {{"x", get_x, set_x, "The x."}, {"rx", get_x, NULL, NULL}, {0}};
static const aiovm_class point_class = {.name = "geo.Point",
                                        .doc = "A point.",
                                        .size = sizeof(point),
                                        .finalize = point_finalize,
                                        .init_signature = "Point(x, y=0)",
                                        .init = point_init,
                                        .methods = point_methods,
                                        .properties = point_properties,
                                        .subclassable = true};
static const aiovm_class closed_class = {.name = "Closed", .size = 1};

static aiovm_status all_of(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    aiovm_value present[8];
    for (int i = 0; i < a->argc; i++) present[i] = aiovm_is_absent(a->argv[i]) ? aiovm_none() : a->argv[i];
    return aiovm_tuple(vm, (size_t)a->argc, present, out);
}
static aiovm_status kinds(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    int64_t i = 0;
    double d = 0;
    bool b = false;
    const char *s = "default", *t = NULL, *y = NULL;
    size_t nt = 0, ny = 0;
    aiovm_value l = aiovm_none();
    if (aiovm_unpack(vm, a, "id|bs?tyl", &i, &d, &b, &s, &t, &nt, &y, &ny, &l)) return AIOVM_ERROR;
    char text[200];
    snprintf(text, sizeof text, "%d %d %d %s %d %d %d", (int)i, (int)(d * 10), b, s, (int)nt, (int)ny,
             aiovm_type_of(vm, l));
    return aiovm_text(vm, text, AIOVM_ZTS, out);
}
static aiovm_status wrong_format(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)out;
    int64_t i;
    return aiovm_unpack(vm, a, "ii", &i, &i);
}
static aiovm_status map(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    aiovm_value list, it, item;
    aiovm_status status;
    if (aiovm_list(vm, 0, NULL, &list) || aiovm_iter(vm, a->argv[1], &it)) return AIOVM_ERROR;
    while ((status = aiovm_next(vm, it, &item)) == AIOVM_OK)
        if (aiovm_call(vm, a->argv[0], 1, &item, &item) || aiovm_append(vm, list, item)) return AIOVM_ERROR;
    *out = list;
    return status == AIOVM_DONE ? AIOVM_OK : status;
}
static aiovm_status busy(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    CHECK_STATUS(aiovm_run(vm, aiovm_none(), NULL), AIOVM_BUSY);
    CHECK_STATUS(aiovm_close(vm), AIOVM_BUSY);
    CHECK_STATUS(aiovm_shutdown(vm, 0), AIOVM_BUSY);
    CHECK(aiovm_run_ready(vm, 0) == AIOVM_STATE_BUSY);
    aiovm_value v;
    OK(aiovm_eval(vm, "40 + 2", AIOVM_ZTS, NULL, &v));
    *out = v;
    return AIOVM_OK;
}
static aiovm_status with_ud(aiovm *vm, aiovm_args *a, aiovm_value *out) { return aiovm_int(vm, *(int *)a->ud, out); }
static aiovm_status both(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    switch (a->step) {
    case 0: return aiovm_await(vm, a, a->argv[0], 1, out);
    case 1:
        if (a->failed) {
            aiovm_error_clear(vm);
            return aiovm_text(vm, "caught", AIOVM_ZTS, out);
        }
        a->keep[0] = a->sent;
        return aiovm_await(vm, a, a->argv[1], 2, out);
    default:
        if (a->failed) return AIOVM_ERROR;
        return aiovm_tuple(vm, 2, (aiovm_value[]){a->keep[0], a->sent}, out);
    }
}
static aiovm_status bad_await(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    return aiovm_await(vm, a, AIOVM_ABSENT, 1, out);
}
static aiovm_status self_await(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    return aiovm_await(vm, a, a->argv[0], 0, out);
}
static const aiovm_func functions[] = {
    {"plain(a, b=1, /, c=2, *, d=3)", all_of, "Takes all kinds.", 0},
    {"star(a, *rest, k=0, **kw)", all_of, NULL, 0},
    {"kinds(i, d, b=0, s=None, t='', y=b'', l=None)", kinds, NULL, 0},
    {"wrong_format(a)", wrong_format, NULL, 0},
    {"map(f, items)", map, NULL, 0},
    {"busy()", busy, NULL, 0},
    {"both(a, b)", both, "Awaits both.", AIOVM_ASYNC},
    {"bad_await()", bad_await, NULL, AIOVM_ASYNC},
    {"no_await(x)", self_await, NULL, 0},
    {0},
};

static void calls(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    static int number = 5;
    aiovm_value f;
    OK(aiovm_module(vm, "host", functions, NULL));
    OK(aiovm_module(vm, "pkg.sub.deep", (aiovm_func[]){{"five()", with_ud, NULL, 0}, {0}}, &number));
    OK(aiovm_module_set(vm, "pkg", "CONSTANT", aiovm_float(1.5)));
    OK(run(vm, "import host, pkg.sub.deep\nfrom pkg.sub.deep import five\n"));
    CHECK(evals_to(vm, "five(), pkg.CONSTANT, pkg.sub.deep.five()", "(5, 1.5, 5)"));
    OK(aiovm_function(vm, &(aiovm_func){"lone()", with_ud, "Alone.", 0}, &number, &f));
    OK(aiovm_set_global(vm, "lone", f));
    CHECK(evals_to(vm, "lone(), lone.__doc__, lone.__name__", "(5, 'Alone.', 'lone')"));
    OK(aiovm_module(vm, "builtins", (aiovm_func[]){{"everywhere()", with_ud, NULL, 0}, {0}}, &number));
    CHECK(evals_to(vm, "everywhere()", "5"));
    CHECK(evals_to(vm, "host.plain(1), host.plain(1, 2, c=5, d=6)", "((1, None, None, None), (1, 2, 5, 6))"));
    CHECK(evals_to(vm, "host.plain.__doc__, host.plain.__text_signature__",
                   "('Takes all kinds.', '(a, b=1, /, c=2, *, d=3)')"));
    FAILS(run(vm, "host.plain()"), "TypeError", "plain() takes at least 1 positional argument (0 given)");
    FAILS(run(vm, "host.plain(1, 2, 3, 4)"), "TypeError", "plain() takes at most 3 positional arguments (4 given)");
    FAILS(run(vm, "host.plain(1, e=1)"), "TypeError", "'e' is an invalid keyword argument for plain()");
    CHECK(evals_to(vm, "host.star(1), host.star(1, 2, 3, k=4, z=5)", "((1, (), None, {}), (1, (2, 3), 4, {'z': 5}))"));
    FAILS(run(vm, "host.star()"), "TypeError", "star() missing required argument 'a' (pos 1)");
    CHECK(evals_to(vm, "host.kinds(1, 2)", "'1 20 0 default 0 0 1'"));
    CHECK(evals_to(vm, "host.kinds(1, 2.5, [0], None, 'ab\\0', b'\\0', [])", "'1 25 1 default 3 1 7'"));
    FAILS(run(vm, "host.kinds('1', 2)"), "TypeError", "argument 1 must be int, not str");
    FAILS(run(vm, "host.kinds(1 << 64, 2)"), "OverflowError", "argument 1 does not fit into 64 bits");
    FAILS(run(vm, "host.kinds(1, None)"), "TypeError", "argument 2 must be float, not NoneType");
    FAILS(run(vm, "host.kinds(1, 2, 0, 5)"), "TypeError", "argument 4 must be str, not int");
    FAILS(run(vm, "host.kinds(1, 2, 0, 'a\\0')"), "ValueError", "argument 4 contains a null character");
    FAILS(run(vm, "host.kinds(1, 2, 0, 's', 't', 'y')"), "TypeError", "argument 6 must be bytes, not str");
    FAILS(run(vm, "host.kinds(1, 2, l=())"), "TypeError", "argument 7 must be list, not tuple");
    FAILS(run(vm, "host.wrong_format(1)"), "SystemError", "aiovm_unpack: the format 'ii' does not fit the signature");
    CHECK(evals_to(vm, "host.map(lambda x: str(x) * 2, range(4))", "['00', '11', '22', '33']"));
    CHECK(evals_to(vm, "host.map(lambda x: host.map(str, range(x)), range(4))[3]", "['0', '1', '2']"));
    FAILS(run(vm, "host.map(lambda x: 1 // (x - 2), range(4))"), "ZeroDivisionError",
          "integer division or modulo by zero");
    CHECK(evals_to(vm, "host.busy()", "42"));
    OK(run(vm, "import warnings; warnings.simplefilter('ignore')\nasync def v(x): return x\nasync def bad(): raise "
               "KeyError('b')\n"));
    OK(run(vm, "r = await host.both(v(1), v(2)), await host.both(bad(), v(0))\n"));
    CHECK(evals_to(vm, "r", "((1, 2), 'caught')"));
    FAILS(run(vm, "await host.both(v(1), bad())"), "KeyError", "'b'");
    FAILS(run(vm, "await host.bad_await()"), "TypeError", "bad_await() awaits an absent value");
    FAILS(run(vm, "await host.both(v(1), 2)"), "TypeError", "object int can't be used in 'await' expression");
    FAILS(run(vm, "host.no_await(1)"), "RuntimeError", "no_await() can't await: it is not registered with AIOVM_ASYNC");
    FAILS(aiovm_function(vm, &(aiovm_func){"no parameters", all_of, NULL, 0}, NULL, &f), "ValueError",
          "the signature 'no parameters' is not of the form name(parameters)");
    static const char *const wrong[] = {"f(*a, *b)", "f(*, *a)", "f(**k, x)", "f(**k, **l)", "f(a, /, b, /)",
                                        "f(a, =1)",  "f(**)",    "f(])",      "f(a, @)",     "f(-1)"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_STATUS(aiovm_function(vm, &(aiovm_func){wrong[i], all_of, NULL, 0}, NULL, &f), AIOVM_ERROR);
        CHECK(strcmp(aiovm_error_type(vm), "ValueError") == 0);
    }
    OK(aiovm_function(vm, &(aiovm_func){"f(x='*', /, y=(1, 2), *a, z, **k)", all_of, NULL, 0}, NULL, &f));
    OK(aiovm_function(vm, &(aiovm_func){"f(x='*', *, y)", all_of, NULL, AIOVM_ASYNC}, NULL, &f));
    FAILS(aiovm_function(vm, &(aiovm_func){"f(*args)", all_of, NULL, AIOVM_ASYNC}, NULL, &f), "ValueError",
          "f(*args): an AIOVM_ASYNC function takes no *args and no **kw");
    FAILS(aiovm_module(vm, "", NULL, NULL), "ValueError", "a module needs a name");
    FAILS(run(vm, "def r(n): return host.map(r, [n])\nr(1)"), "RecursionError", "maximum recursion depth exceeded");
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

static void classes(void **state)
{
    (void)state;
    aiovm *vm = open_with(0);
    made = finalized = ud_seen = 0;
    static int ud = 9;
    aiovm_value cls, v;
    OK(aiovm_class_make(vm, &point_class, &ud, &cls));
    OK(aiovm_module_set(vm, "geo", "Point", cls));
    OK(run(vm, "from geo import Point\np = Point(1.5)\n"));
    CHECK(evals_to(vm, "p.x, p.move(1, y) if False else p.move(1).x, p.rx, Point.x.__doc__",
                   "(1.5, 2.5, 2.5, 'The x.')"));
    CHECK(evals_to(vm, "Point, Point.__doc__, Point.__module__, Point.move.__doc__",
                   "(<class 'geo.Point'>, 'A point.', 'geo', 'Moves it.')"));
    CHECK(evals_to(vm, "p + Point(1, 2), Point.origin(1)", "(<3, 2>, <0, 0>)"));
    OK(run(vm, "p.x = 7"));
    CHECK(evals_to(vm, "p.x", "7.0"));
    FAILS(run(vm, "p.x = 'far'"), "TypeError", "argument 1 must be float, not str");
    CHECK_STATUS(run(vm, "p.rx = 1"), AIOVM_ERROR);
    CHECK_STATUS(run(vm, "Point.x = 1"), AIOVM_ERROR);
    CHECK_STATUS(run(vm, "Point()"), AIOVM_ERROR);
    FAILS(run(vm, "Point('a')"), "TypeError", "argument 1 must be float, not str");
    FAILS(run(vm, "p + 1"), "TypeError", "argument 1 must be geo.Point, not int");
    FAILS(run(vm, "Point.move(1, 2)"), "TypeError",
          "descriptor 'move' for 'geo.Point' objects doesn't apply to a 'int' object");
    OK(run(vm, "class Sub(Point):\n    def __init__(self): super().__init__(4, 5); self.extra = [1]\ns = Sub()\n"));
    CHECK(evals_to(vm, "s.move(1).x, s.extra, s + s", "(5.0, [1], <10, 10>)"));
    OK(aiovm_get_global(vm, "s", &v));
    CHECK(aiovm_data(vm, &point_class, v) && ((point *)aiovm_data(vm, &point_class, v))->x == 5);
    CHECK(!aiovm_data(vm, &closed_class, v) && !aiovm_data(vm, &point_class, aiovm_none()));
    point *q = aiovm_new(vm, &point_class, &v);
    CHECK(q && q->x == 0 && q->id == 0);
    q->id = 77;
    char *c = aiovm_new(vm, &closed_class, &v);
    CHECK(c && *c == 0);
    OK(aiovm_class_make(vm, &closed_class, NULL, &cls));
    OK(aiovm_set_global(vm, "Closed", cls));
    FAILS(run(vm, "Closed()"), "TypeError", "cannot create '__main__.Closed' instances");
    FAILS(run(vm, "class C(Closed): pass"), "TypeError", "type '__main__.Closed' is not an acceptable base type");
    CHECK(evals_to(vm, "Closed", "<class '__main__.Closed'>"));
    /* A cycle through the attributes of a subclass's instance is collected, and finalised. */
    int before = finalized;
    OK(run(vm, "import gc\ns.extra.append(s); s = None; gc.collect()"));
    CHECK(finalized > before);
    CHECK(evals_to(vm, "[hash(p) == hash(p), p == p, isinstance(p, Point)]", "[True, True, True]"));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
    CHECK(ud_seen == 9 && finalized >= made);
    vm = open_with(0); /* the same classes in another VM */
    CHECK(aiovm_new(vm, &point_class, NULL));
    CHECK_STATUS(aiovm_close(vm), AIOVM_OK);
}

PARTS(PART(calls), PART(classes))
