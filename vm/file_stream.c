/* The bytes of files: one buffer per stream between script and descriptor.
 *
 * Other threads run while this one waits for a pipe or terminal, but not during the read or write itself: the buffer is
 * the stream's. So with several threads a descriptor is waited for first, and written to in pieces that it takes at
 * once. While one thread writes a stream, others that want to wait (s->writer), and what is written is a copy. */
#include "caps.h"
#include "file.h"
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 32 * 1024, READ_MAX = 1 << 30 };

enum { WRITER_WAIT_NS = 1000 * 1000 };

/* With several threads: the lock is given up until fd is ready. 1: it was given up; 0: it was ready; -1: raised. */
static int wait_ready(vm *vm, const file *s, short events)
{
    if (thread_alone(vm)) return 0;
    int gave = 0;
    for (;;) {
        struct pollfd p = {.fd = s->fd, .events = events};
        if (poll(&p, 1, 0) != 0) return gave;
        gave = 1;
        thread_wait_fd(vm, s->fd, events, -1);
        vm_poll(vm);
        if (raised(vm)) return -1;
        if (s->fd < 0) {
            raise_value_error(vm, "I/O operation on closed file.");
            return -1;
        }
    }
}

/* Waits while another thread writes the stream. false: raised. */
static bool wait_writer(vm *vm, const file *s)
{
    while (UNLIKELY(s->writer && s->writer != vm->thread)) {
        thread_park(vm, WRITER_WAIT_NS);
        vm_poll(vm);
        if (raised(vm)) return false;
    }
    return true;
}

/* An interrupted or would-block system call: may it be tried again? With several threads the caller waits with
 * wait_ready. false: raised. */
static bool retry(vm *vm, int fd, short events)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) { /* a descriptor that somebody made non-blocking, or emptied */
        struct pollfd p = {.fd = fd, .events = events};
        if (thread_alone(vm)) poll(&p, 1, -1);
    } else if (errno != EINTR) {
        raise_os_error(vm, errno, V_UNBOUND);
        return false;
    }
    if (vm_attention(vm)) vm_poll(vm);
    return !raised(vm);
}

bool stream_reserve(vm *vm, file *s, size_t n)
{
    if (s->pos && s->pos == s->end && !s->dirty) s->pos = s->end = s->checked = 0;
    if (s->cap - s->end >= n) return true;
    if (s->pos && !s->dirty) { /* move what is left to the front */
        memmove(s->buf, s->buf + s->pos, s->end - s->pos);
        s->checked = s->checked > s->pos ? s->checked - s->pos : 0;
        s->end -= s->pos;
        s->pos = 0;
        if (s->cap - s->end >= n) return true;
    }
    size_t cap = s->cap ? s->cap : BUFFER_SIZE, need;
    if (!size_add(s->end, n, &need)) {
        raise_memory(vm);
        return false;
    }
    while (cap < need) {
        if (cap > SIZE_MAX / 2) {
            raise_memory(vm);
            return false;
        }
        cap *= 2;
    }
    uint8_t *buf = mem_realloc(vm, s->buf, s->cap, cap);
    if (!buf) return false;
    s->buf = buf;
    s->cap = cap;
    return true;
}

int stream_fill(vm *vm, file *s)
{
    if (s->eof && s->transcoded) return 0;
    if (s->generic) return source_fill(vm, s);
    for (;;) {
        size_t had = s->end, from = s->pos;
        int waited = wait_ready(vm, s, POLLIN);
        if (waited < 0) return -1;
        if (waited && (s->end != had || s->pos != from) && s->end != s->pos) return 1; /* another thread has read */
        if (!stream_reserve(vm, s, BUFFER_SIZE / 2)) return -1;
        size_t room = s->cap - s->end;
        const file_terminal *t = s->fd == 0 ? file_state_of(vm)->terminal : NULL;
        size_t asked = room > READ_MAX ? READ_MAX : room;
        ssize_t n = UNLIKELY(t != NULL && t->read) ? (ssize_t)t->read(t->ud, s->buf + s->end, asked) : 0;
        if (LIKELY(n == 0)) {
            n = thread_alone(vm) ? read(s->fd, s->buf + s->end, asked) : thread_read_now(s->fd, s->buf + s->end, asked);
            if (UNLIKELY(t != NULL && t->read)) {
                int error = errno;
                t->has_read(t->ud);
                errno = error;
            }
        }
        if (n >= 0) {
            s->end += (size_t)n;
            s->eof = n == 0;
            return n > 0;
        }
        if (!retry(vm, s->fd, POLLIN)) return -1;
        if (s->fd < 0) { /* a signal handler closed it */
            raise_value_error(vm, "I/O operation on closed file.");
            return -1;
        }
    }
}

static void mark_dirty(vm *vm, file *s)
{
    if (s->dirty) return;
    file_state *st = file_state_of(vm);
    s->dirty = true;
    if (s->generic) return;
    s->next_dirty = st->dirty;
    st->dirty = s;
}

static void mark_clean(vm *vm, file *s)
{
    if (!s->dirty) return;
    file_state *st = file_state_of(vm);
    s->dirty = false;
    s->pos = s->end = s->checked = 0;
    for (file **p = st ? &st->dirty : NULL; p && *p; p = &(*p)->next_dirty) {
        if (*p == s) {
            *p = s->next_dirty;
            break;
        }
    }
    s->next_dirty = NULL;
}

void stream_forget(vm *vm, file *s) { mark_clean(vm, s); }

/* Several threads run, and the descriptor may block: waits, and writes what fits. */
static bool write_shared(vm *vm, file *s, const uint8_t *p, size_t n, size_t *done)
{
    uint8_t *copy = mem_alloc(vm, n);
    if (!copy) return false;
    memcpy(copy, p, n);
    bool ok = true;
    s->writer = vm->thread;
    while (ok && *done < n) {
        ok = wait_ready(vm, s, POLLOUT) >= 0;
        if (!ok) break;
        ssize_t k = thread_write_now(s->fd, copy + *done, n - *done > PIPE_BUF ? PIPE_BUF : n - *done);
        if (k >= 0) *done += (size_t)k;
        else ok = retry(vm, s->fd, POLLOUT);
    }
    s->writer = NULL;
    mem_free(vm, copy, n);
    return ok;
}

/* Writes all of p to the descriptor; *done says how much went out. */
static bool write_all(vm *vm, file *s, const uint8_t *p, size_t n, size_t *done)
{
    if (s->generic) return source_write(vm, s, p, n, done);
    *done = 0;
    const file_terminal *t = s->fd == 1 || s->fd == 2 ? file_state_of(vm)->terminal : NULL;
    if (UNLIKELY(t != NULL)) {
        if (t->admit && !t->admit(t->ud, n)) {
            raise_os_error(vm, EFBIG, V_UNBOUND);
            return false;
        }
        if (t->write(t->ud, s->fd, p, n)) *done = n;
    }
    struct stat st;
    if (UNLIKELY(!thread_alone(vm)) && *done < n && fstat(s->fd, &st) == 0 && !S_ISREG(st.st_mode))
        return write_shared(vm, s, p, n, done);
    while (*done < n) {
        size_t left = n - *done;
        ssize_t k = write(s->fd, p + *done, left > READ_MAX ? READ_MAX : left);
        if (k >= 0) {
            *done += (size_t)k;
            continue;
        }
        if (!retry(vm, s->fd, POLLOUT)) return false;
        if (s->fd < 0) {
            raise_value_error(vm, "I/O operation on closed file.");
            return false;
        }
    }
    return true;
}

bool stream_flush(vm *vm, file *s)
{
    if (UNLIKELY(s->writer != NULL) && !wait_writer(vm, s)) return false;
    if (!s->dirty) return true;
    size_t done;
    bool ok = write_all(vm, s, s->buf, s->end, &done);
    if (!s->dirty) return ok; /* what ran meanwhile has seen to it */
    if (done >= s->end) {
        mark_clean(vm, s);
    } else if (done) {
        memmove(s->buf, s->buf + done, s->end - done);
        s->end -= done;
    }
    return ok;
}

bool stream_before_read(vm *vm, file *s) { return stream_flush(vm, s); }

bool stream_before_write(vm *vm, file *s)
{
    if (s->dirty || s->pos == s->end) {
        if (!s->dirty) s->pos = s->end = s->checked = 0;
        return true;
    }
    if (s->generic) {
        if (source_seek(vm, s, (int64_t)s->pos - (int64_t)s->end, SEEK_CUR) < 0) return false;
    } else if (s->seekable && lseek(s->fd, (off_t)s->pos - (off_t)s->end, SEEK_CUR) < 0) {
        raise_os_error(vm, errno, V_UNBOUND);
        return false;
    }
    s->pos = s->end = s->checked = 0;
    return true;
}

static bool stream_write_later(vm *vm, file *s, const void *p, size_t n)
{
    void *copy = mem_alloc(vm, n);
    if (!copy) return false;
    memcpy(copy, p, n);
    bool ok = wait_writer(vm, s) && stream_write(vm, s, copy, n);
    mem_free(vm, copy, n);
    return ok;
}

bool stream_write(vm *vm, file *s, const void *p, size_t n)
{
    if (UNLIKELY(s->writer && s->writer != vm->thread) && n) return stream_write_later(vm, s, p, n);
    if (UNLIKELY(s->pos != s->end && !s->dirty) && !stream_before_write(vm, s)) return false;
    size_t room = UNLIKELY(s->generic) ? s->bufsize : s->cap;
    if (LIKELY(s->dirty && room >= s->end && room - s->end >= n && s->cap - s->end >= n && !s->unbuffered)) {
        memcpy(s->buf + s->end, p, n);
        s->end += n;
        return true;
    }
    if (n == 0) return true;
    size_t done;
    if (s->unbuffered) return write_all(vm, s, p, n, &done);
    while (s->dirty) /* again, if a signal handler has written meanwhile */
        if (!stream_flush(vm, s)) return false;
    if (UNLIKELY(s->fd < 0)) {
        raise_value_error(vm, "I/O operation on closed file.");
        return false;
    }
    s->pos = s->end = s->checked = 0;
    if (n >= BUFFER_SIZE || (s->generic && n > s->bufsize)) return write_all(vm, s, p, n, &done);
    if (!s->cap) {
        s->buf = mem_alloc(vm, BUFFER_SIZE);
        if (!s->buf) return false;
        s->cap = BUFFER_SIZE;
    }
    memcpy(s->buf, p, n);
    s->end = n;
    mark_dirty(vm, s);
    return true;
}

int64_t stream_tell(vm *vm, file *s)
{
    off_t at = s->generic ? source_tell(vm, s) : lseek(s->fd, 0, SEEK_CUR);
    if (at < 0) {
        if (!s->generic) raise_os_error(vm, errno, V_UNBOUND);
        return -1;
    }
    if (s->dirty) return (int64_t)at + (int64_t)s->end;
    int64_t ahead = (int64_t)(s->end - s->pos);
    return at > ahead ? (int64_t)at - ahead : 0; /* a source may have told less than it gave */
}

bool stream_seek(vm *vm, file *s, int64_t offset, int whence, int64_t *out)
{
    if (!stream_flush(vm, s)) return false;
    if (whence == SEEK_CUR) offset -= (int64_t)(s->end - s->pos);
    off_t at = s->generic ? source_seek(vm, s, offset, whence) : lseek(s->fd, (off_t)offset, whence);
    if (at < 0) {
        if (!s->generic) raise_os_error(vm, errno, V_UNBOUND);
        return false;
    }
    s->pos = s->end = s->checked = 0;
    s->eof = false;
    *out = (int64_t)at;
    return true;
}

static void uncount(vm *vm, file *s)
{
    if (s->counted) fd_gone(vm);
    s->counted = false;
}

bool stream_close(vm *vm, file *s)
{
    if (s->fd < 0) return true;
    bool ok = stream_flush(vm, s);
    if (s->fd < 0) return ok;
    mark_clean(vm, s);
    int fd = s->fd;
    s->fd = -1;
    mem_free(vm, s->buf, s->cap);
    s->buf = NULL;
    s->pos = s->end = s->cap = s->checked = 0;
    if (s->generic) {
        value failed = ok ? V_UNBOUND : exc_take(vm); /* src is closed in any case */
        ROOTS(vm, &failed);
        ok = !value_is_error(source_call(vm, s, "close", NULL, 0)) && ok;
        if (!value_is_unbound(failed)) {
            if (raised(vm)) exc_clear(vm);
            raise_exception(vm, failed);
        }
        return ok;
    }
    uncount(vm, s);
    if (s->closefd) fd_let_go(vm, fd);
    if (s->closefd && close(fd) != 0 && errno != EINTR && ok) {
        raise_os_error(vm, errno, V_UNBOUND);
        ok = false;
    }
    return ok;
}

/* What can be written without a VM that may raise. */
static bool flush_quietly(vm *vm, file *s)
{
    size_t done = 0;
    const file_terminal *t = (s->fd == 1 || s->fd == 2) && file_state_of(vm) ? file_state_of(vm)->terminal : NULL;
    if (UNLIKELY(t != NULL) && s->dirty) {
        if (t->admit && !t->admit(t->ud, s->end)) return false;
        if (t->write(t->ud, s->fd, s->buf, s->end)) done = s->end;
    }
    while (s->dirty && done < s->end) {
        ssize_t n = write(s->fd, s->buf + done, s->end - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = s->fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

void stream_drop(vm *vm, file *s)
{
    if (s->of) return;
    if (s->generic) {
        mem_free(vm, s->buf, s->cap);
        return;
    }
    if (s->fd >= 0) flush_quietly(vm, s);
    mark_clean(vm, s);
    mem_free(vm, s->buf, s->cap);
    if (s->fd >= 0 && s->closefd) {
        fd_let_go(vm, s->fd);
        close(s->fd);
    }
    uncount(vm, s);
    s->fd = -1;
}

bool files_flush_all(vm *vm)
{
    file_state *st = file_state_of(vm);
    bool ok = true;
    for (file *s = st ? st->dirty : NULL, *next; s; s = next) {
        next = s->next_dirty;
        if (s->writer) continue; /* it is being written, and who writes goes on */
        if (s->fd >= 0 && !flush_quietly(vm, s)) ok = false;
        mark_clean(vm, s);
    }
    return ok;
}

void file_write_fd(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, s, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return;
        s += k;
        n -= (size_t)k;
    }
}
