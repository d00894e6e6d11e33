/* The standard streams, and printing from C: the VM's state of files. */
#include "file.h"
#include "str.h"

#include <fcntl.h>
#include <unistd.h>

static void mark_state(vm *vm, void *ud)
{
    file_state *st = ud;
    for (int i = 0; i < 3; i++) gc_mark_obj(vm, (object *)st->std[i]);
    gc_mark_obj(vm, (object *)st->unsupported);
}

static file *open_std(vm *vm, int fd, bool *usable)
{
    int mode = fcntl(fd, F_GETFL);
    *usable = mode >= 0 && (mode & O_ACCMODE) != (fd == 0 ? O_WRONLY : O_RDONLY);
    if (!*usable) return NULL; /* closed, or what the command put in the place of a closed one: sys.stdX is None */
    static const char *const names[] = {"<stdin>", "<stdout>", "<stderr>"};
    file *f = file_alloc(vm, TYPE_TEXTIO);
    str *name = str_from_cstr(vm, names[fd]), *encoding = str_from_cstr(vm, "utf-8");
    str *errors = str_from_cstr(vm, fd == 2 ? "backslashreplace" : "strict");
    if (!f || !name || !encoding || !errors) return NULL;
    f->fd = fd;
    f->name = value_obj(name);
    f->mode = value_obj(vm->chars[fd == 0 ? 'r' : 'w']);
    f->encoding = value_obj(encoding);
    f->errors = value_obj(errors);
    f->codec = CODEC_UTF8;
    f->readable = fd == 0;
    f->writable = fd != 0;
    f->seekable = lseek(fd, 0, SEEK_CUR) >= 0;
    f->line_buffered = fd == 2 || (fd == 1 && isatty(fd));
    return f;
}

bool files_open(vm *vm)
{
    file_state *st = mem_zalloc(vm, sizeof *st);
    if (!st) return false;
    vm->state[VMS_IO] = st;
    if (!gc_add_roots(vm, mark_state, st)) return false;
    for (int fd = 0; fd < 3; fd++) {
        bool usable;
        st->std[fd] = open_std(vm, fd, &usable);
        if (usable && !st->std[fd]) return false;
    }
    return true;
}

void files_close(vm *vm)
{
    file_state *st = file_state_of(vm);
    if (!st) return;
    files_flush_all(vm);
    gc_remove_roots(vm, mark_state, st);
    mem_free(vm, st, sizeof *st);
    vm->state[VMS_IO] = NULL;
}

value file_std(vm *vm, int fd)
{
    file_state *st = file_state_of(vm);
    return st && st->std[fd] ? value_obj(st->std[fd]) : V_NONE;
}

bool files_finish(vm *vm)
{
    file_state *st = file_state_of(vm);
    file *out = st ? st->std[1] : NULL;
    bool ok = true;
    if (out && out->dirty && out->fd >= 0 && !stream_flush(vm, out)) {
        ok = false;
        exc_report_unraisable(vm, value_obj(out));
        stream_forget(vm, out);
    }
    return files_flush_all(vm) && ok;
}

bool file_put(vm *vm, value f, str *s)
{
    if (LIKELY(value_is_exact(f, TYPE_TEXTIO))) {
        file *t = AS(file, f);
        return file_check_writable(vm, t) && text_write(vm, t, str_plain(s));
    }
    value arg = value_obj(s);
    return !value_is_error(vm_call_method(vm, f, N(vm, write), &arg, 1));
}

/* Room for n ASCII bytes in the buffer of a file that just collects them; NULL: the long way. */
static inline uint8_t *quick_room(value f, size_t n)
{
    if (UNLIKELY(!value_is_exact(f, TYPE_TEXTIO))) return NULL;
    file *t = AS(file, f);
    bool plain = t->dirty && t->fd >= 0 && !t->line_buffered && !t->write_through && t->codec == CODEC_UTF8 &&
                 t->newline < NEWLINE_CR && t->cap - t->end >= n;
    return LIKELY(plain) ? t->buf + t->end : NULL;
}

bool file_put_char(vm *vm, value f, char c)
{
    uint8_t *p = quick_room(f, 1);
    if (UNLIKELY(!p)) return file_put(vm, f, vm->chars[(unsigned char)c]);
    *p = (uint8_t)c;
    AS(file, f)->end++;
    return true;
}

bool file_put_int(vm *vm, value f, int64_t n)
{
    uint8_t *p = quick_room(f, 21);
    if (UNLIKELY(!p)) {
        str *s = int_to_str(vm, value_int(n), 10);
        return s && file_put(vm, f, s);
    }
    char buf[20];
    unsigned d = u64_digits(buf, n < 0 ? -(uint64_t)n : (uint64_t)n);
    if (n < 0) *p++ = '-';
    memcpy(p, buf + 20 - d, d);
    AS(file, f)->end += d + (n < 0);
    return true;
}

bool file_flush(vm *vm, value f)
{
    if (value_is_exact(f, TYPE_TEXTIO)) return file_check_open(vm, AS(file, f), NULL) && stream_flush(vm, AS(file, f));
    return !value_is_error(vm_call_method(vm, f, N(vm, flush), NULL, 0));
}

void file_write_stderr(vm *vm, str *s)
{
    const file_terminal *t = file_state_of(vm) ? file_state_of(vm)->terminal : NULL;
    value f = sys_value(vm, N(vm, stderr)), pending = vm->thread->exc;
    if (t && t->report) {
        size_t n;
        const char *text = str_wtf8(vm, s, &n);
        vm->thread->exc = pending;
        if (text && t->report(t->ud, text, n)) return;
    }
    if (value_is_unbound(f)) f = file_std(vm, 2);
    if (value_is_none(f)) return;
    ROOTS(vm, &f, &s, &pending);
    vm->thread->exc = V_UNBOUND;
    if (!file_put(vm, f, s) || !file_flush(vm, f)) exc_clear(vm);
    vm->thread->exc = pending;
}
