/* The modules _heapq and _bisect: heaps and sorted lists.
 *
 * What is compared may change the list: every step looks at its length anew, as CPython does. */
#include "module_state.h"
#include "vm/list.h"
#include "vm/str.h"

#define DOC_FILE stdlib_mod_heapq
DOC_BEGIN;

/* ---- heaps ---- */

/* a < b: 1 0 -1; `max`: the other way round */
static inline int before(vm *vm, value a, value b, bool max)
{
    if (LIKELY(value_both_int(a, b))) return max ? b.bits < a.bits : a.bits < b.bits;
    return max ? obj_compare_bool(vm, b, a, CMP_LT) : obj_compare_bool(vm, a, b, CMP_LT);
}

static bool changed(vm *vm)
{
    raise(vm, EXC_RuntimeError, "list changed size during iteration");
    return false;
}

static inline void swap(vm *vm, list *l, size_t i, size_t k)
{
    value v = l->items[i];
    l->items[i] = l->items[k];
    l->items[k] = v;
    list_moved(vm, l);
}

/* The item at `at` moves towards the root, not above `top`, until its parent is not greater. */
static bool sift_down(vm *vm, list *l, size_t top, size_t at, bool max)
{
    size_t n = l->len;
    if (at >= n) {
        raise(vm, EXC_IndexError, "index out of range");
        return false;
    }
    while (at > top) {
        size_t parent = (at - 1) >> 1;
        int less = before(vm, l->items[at], l->items[parent], max);
        if (less < 0) return false;
        if (l->len != n) return changed(vm);
        if (!less) break;
        swap(vm, l, at, parent);
        at = parent;
    }
    return true;
}

/* The item at `at` goes down to a leaf, the smaller children up; then it rises to its place. */
static bool sift_up(vm *vm, list *l, size_t at, bool max)
{
    size_t n = l->len, start = at;
    while (at < n / 2) {
        size_t child = 2 * at + 1;
        if (child + 1 < n) {
            int less = before(vm, l->items[child], l->items[child + 1], max);
            if (less < 0) return false;
            child += !less;
            if (l->len != n) return changed(vm);
        }
        swap(vm, l, at, child);
        at = child;
    }
    return sift_down(vm, l, start, at, max);
}

static list *heap_of(vm *vm, value v, const char *what)
{
    if (IS_LIST(v)) return AS(list, v);
    raise_type_error(vm, "%s must be list, not %T", what, v);
    return NULL;
}

FN(h_heappush)
{
    list *l = heap_of(vm, args[0], "heappush() argument 1");
    return l && list_append(vm, l, args[1]) && sift_down(vm, l, 0, l->len - 1, false) ? V_NONE : V_ERROR;
}

static value pop(vm *vm, list *l, bool max)
{
    if (!l) return V_ERROR;
    if (!l->len) return raise(vm, EXC_IndexError, "index out of range");
    value last = l->items[l->len - 1], top;
    list_truncate(vm, l, l->len - 1);
    if (!l->len) return last;
    top = l->items[0];
    ROOTS(vm, &top);
    l->items[0] = last;
    list_barrier(vm, l, 0);
    return sift_up(vm, l, 0, max) ? top : V_ERROR;
}
FN(h_heappop) { return pop(vm, heap_of(vm, args[0], "heappop() argument"), false); }
FN(h_heappop_max) { return pop(vm, heap_of(vm, args[0], "_heappop_max() argument"), true); }

static value replace(vm *vm, list *l, value item, bool max)
{
    if (!l) return V_ERROR;
    if (!l->len) return raise(vm, EXC_IndexError, "index out of range");
    value top = l->items[0];
    ROOTS(vm, &top);
    l->items[0] = item;
    list_barrier(vm, l, 0);
    return sift_up(vm, l, 0, max) ? top : V_ERROR;
}
FN(h_heapreplace) { return replace(vm, heap_of(vm, args[0], "heapreplace() argument 1"), args[1], false); }
FN(h_heapreplace_max) { return replace(vm, heap_of(vm, args[0], "_heapreplace_max() argument 1"), args[1], true); }

FN(h_heappushpop)
{
    list *l = heap_of(vm, args[0], "heappushpop() argument 1");
    if (!l) return V_ERROR;
    if (!l->len) return args[1];
    int less = before(vm, l->items[0], args[1], false);
    if (less < 0) return V_ERROR;
    return less ? replace(vm, l, args[1], false) : args[1];
}

static value heapify(vm *vm, list *l, bool max)
{
    if (!l) return V_ERROR;
    for (size_t i = l->len / 2; i-- > 0;) {
        if (!sift_up(vm, l, i, max)) return V_ERROR;
        if (UNLIKELY(!vm_tick(vm, 1))) return V_ERROR;
    }
    return V_NONE;
}
FN(h_heapify) { return heapify(vm, heap_of(vm, args[0], "heapify() argument"), false); }
FN(h_heapify_max) { return heapify(vm, heap_of(vm, args[0], "_heapify_max() argument"), true); }

static const native_def heap_functions[] = {
    {"heappush(heap, item, /)", h_heappush, DOC("Push item onto heap, maintaining the heap invariant."), 0},
    {"heappushpop(heap, item, /)", h_heappushpop,
     DOC("Push item on the heap, then pop and return the smallest item from the heap."), 0},
    {"heappop(heap, /)", h_heappop, DOC("Pop the smallest item off the heap, maintaining the heap invariant."), 0},
    {"heapreplace(heap, item, /)", h_heapreplace,
     DOC("Pop and return the current smallest value, and add the new item."), 0},
    {"heapify(heap, /)", h_heapify, DOC("Transform list into a heap, in-place, in O(len(heap)) time."), 0},
    {"_heappop_max(heap, /)", h_heappop_max, DOC("Maxheap variant of heappop."), 0},
    {"_heapify_max(heap, /)", h_heapify_max, DOC("Maxheap variant of heapify."), 0},
    {"_heapreplace_max(heap, item, /)", h_heapreplace_max, DOC("Maxheap variant of heapreplace."), 0},
    {0},
};

bool heapq_init(vm *vm, module *m) { return module_add_natives(vm, m, heap_functions); }

/* ---- bisection ---- */

/* Where x belongs in the sorted a[lo:hi]: after its equals (right) or before them. -1 raised. */
static int64_t bisect(vm *vm, value *args, bool right)
{
    value a = args[0], x = args[1], key = value_is_unbound(args[4]) ? V_NONE : args[4], item = V_UNBOUND;
    int64_t lo = 0, hi = -1;
    if (!args_ssize(vm, args[2], 0, &lo)) return -1;
    if (!value_is_unbound(args[3]) && !value_is_none(args[3])) {
        if (!type_of(vm, args[3])->s.index) {
            raise_type_error(vm, "argument should be integer or None, not '%T'", args[3]);
            return -1;
        }
        if (!args_ssize(vm, args[3], 0, &hi)) return -1;
    }
    if (lo < 0) {
        raise_value_error(vm, "lo must be non-negative");
        return -1;
    }
    if (hi == -1 && (hi = obj_len(vm, a)) < 0) return -1;
    ROOTS(vm, &a, &x, &key, &item);
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        item = value_is_exact(a, TYPE_LIST) && (size_t)mid < AS(list, a)->len
                   ? AS(list, a)->items[mid]
                   : obj_getitem(vm, a, int_from_i64(vm, mid));
        if (!value_is_error(item) && !value_is_none(key)) item = vm_call1(vm, key, item);
        if (value_is_error(item)) return -1;
        int less = right ? obj_compare_bool(vm, x, item, CMP_LT) : obj_compare_bool(vm, item, x, CMP_LT);
        if (less < 0) return -1;
        if (right ? less : !less) hi = mid;
        else lo = mid + 1;
    }
    return lo;
}

FN(b_bisect_right)
{
    int64_t i = bisect(vm, args, true);
    return i < 0 ? V_ERROR : int_from_i64(vm, i);
}
FN(b_bisect_left)
{
    int64_t i = bisect(vm, args, false);
    return i < 0 ? V_ERROR : int_from_i64(vm, i);
}

static value insort(vm *vm, value *args, bool right)
{
    value call[5] = {args[0], args[1], args[2], args[3], args[4]};
    ROOT_SPAN(vm, call, 5);
    if (!value_is_unbound(args[4]) && !value_is_none(args[4])) {
        call[1] = vm_call1(vm, args[4], args[1]);
        if (value_is_error(call[1])) return V_ERROR;
    }
    int64_t i = bisect(vm, call, right);
    if (i < 0) return V_ERROR;
    if (value_is_exact(args[0], TYPE_LIST))
        return list_insert(vm, AS(list, args[0]), (size_t)i, args[1]) ? V_NONE : V_ERROR;
    value in[2] = {int_from_i64(vm, i), args[1]};
    str *name = str_intern_utf8(vm, "insert", 6);
    return name && !value_is_error(vm_call_method(vm, args[0], name, in, 2)) ? V_NONE : V_ERROR;
}
FN(b_insort_right) { return insort(vm, args, true); }
FN(b_insort_left) { return insort(vm, args, false); }

static const native_def bisect_functions[] = {
    {"bisect_right(a, x, lo=0, hi=None, *, key=None)", b_bisect_right,
     DOC("Return the index where to insert item x in list a, assuming a is sorted."), 0},
    {"bisect_left(a, x, lo=0, hi=None, *, key=None)", b_bisect_left,
     DOC("Return the index where to insert item x in list a, assuming a is sorted."), 0},
    {"insort_right(a, x, lo=0, hi=None, *, key=None)", b_insort_right,
     DOC("Insert item x in list a, and keep it sorted assuming a is sorted."), 0},
    {"insort_left(a, x, lo=0, hi=None, *, key=None)", b_insort_left,
     DOC("Insert item x in list a, and keep it sorted assuming a is sorted."), 0},
    {0},
};

bool bisect_init(vm *vm, module *m) { return module_add_natives(vm, m, bisect_functions); }
