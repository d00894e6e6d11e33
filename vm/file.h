/* File objects: open(), sys.stdin, sys.stdout, sys.stderr; and how C code prints.
 *
 * One struct serves text and binary files. Text is decoded from the buffer just as it is given out (a line, so many
 * characters, everything), so the position in the file is always known. What cannot be decoded that way (UTF-16 and the
 * like) is turned into UTF-8 in the buffer as a whole at the first read.
 *
 * Invariants
 *  1. The buffer holds read-ahead, buf[pos, end), or (dirty) unwritten bytes, buf[0, end). Never both.
 *  2. A dirty file is in the VM's list of dirty files, so that every kind of exit can write it out.
 *  3. A binary view (text.buffer) has `of` set and uses that stream's buffer and descriptor: never its own.
 *  4. fd is -1 when closed.
 *  5. A generic stream (file_source.c) has no descriptor; using it may run script.
 */
#ifndef AIO_FILE_H
#define AIO_FILE_H

#include "codec.h"
#include "types_api.h"

enum file_newline { NEWLINE_UNIVERSAL, NEWLINE_KEEP /* newline='' */, NEWLINE_LF, NEWLINE_CR, NEWLINE_CRLF };
enum { SEEN_CR = 1, SEEN_LF = 2, SEEN_CRLF = 4 };

typedef struct file {
    object h;
    value *slots;
    value name, mode;       /* as given; str */
    value encoding, errors; /* str; None for binary */
    struct file *of;
    value src;        /* the object below: its buffer or raw stream (file_source.c); unbound: none */
    uint32_t bufsize; /* generic: how much is read and kept at once */
    uint8_t *buf;
    size_t pos, end, cap;
    size_t checked; /* strict text: buf[pos, checked) is known to be valid */
    struct file *next_dirty;
    thread *writer; /* the thread that waits to write it, or NULL */
    int fd;
    uint8_t codec;   /* enum codec_id */
    uint8_t newline; /* enum file_newline */
    uint8_t seen_newlines;
    bool counted; /* in vm->nfds */
    bool binary, readable, writable, append, unbuffered, line_buffered, write_through;
    bool seekable, closefd, dirty, eof, started, transcoded, no_tell;
    bool generic; /* bytes come from and go to src by calls */
    bool has_read1, blocked, detached;
} file;
#define IS_FILE(v) value_is_kind(v, K_FILE)
static inline file *file_stream(file *f) { return f->of ? f->of : f; }

/* Who shares a terminal with the script is told before its descriptors 0-2 are used: the line editor. */
typedef struct file_terminal {
    /* What a script writes to descriptor 1 or 2. false: it is to be written as usual. */
    bool (*write)(void *ud, int fd, const void *p, size_t n);
    bool (*admit)(void *ud, size_t n); /* may so much be written? NULL: any amount */
    /* what the VM itself has to say; false or NULL: to sys.stderr */
    bool (*report)(void *ud, const char *text, size_t n);
    /* NULL, or: a read of descriptor 0 begins: what was typed ahead goes to p (0: nothing was, so it is read as usual,
     * and has_read is called after). */
    size_t (*read)(void *ud, void *p, size_t room);
    void (*has_read)(void *ud);
    /* the descriptor that a child process of the loop's is to have as its 1 or 2; -1 or NULL: the one that there is */
    int (*child)(void *ud, int fd);
    void *ud;
} file_terminal;

/* The VM's state of files: vm->state[VMS_IO]. */
typedef struct file_state {
    file *std[3];
    file *dirty;
    type *unsupported;             /* io.UnsupportedOperation, made when it is first raised */
    const file_terminal *terminal; /* or NULL */
} file_state;
static inline file_state *file_state_of(vm *vm) { return (file_state *)vm->state[VMS_IO]; }

/* ---- file.c ---- */
file *file_alloc(vm *vm, unsigned type_id);
/* false: raised; doing: how binary files name it, or NULL */
bool file_check_open(vm *vm, file *f, const char *doing);
bool file_check_writable(vm *vm, file *f);
value file_open(vm *vm, value *args); /* open()'s eight arguments, missing ones unbound */
value file_unsupported_type(vm *vm);  /* io.UnsupportedOperation */
value raise_unsupported(vm *vm, const char *what);
str *path_argument(vm *vm, value v); /* builtins_run.c: str, bytes or os.PathLike; NULL raised */

/* ---- file_std.c ---- */
bool files_open(vm *vm);
void files_close(vm *vm);       /* frees the state; files_flush_all comes first */
value file_std(vm *vm, int fd); /* the original sys.stdin, stdout, stderr */

/* Writes a str to any file-like object: directly when it is a plain text file, else by its write method. false: raised.
 */
bool file_put(vm *vm, value f, str *s);
bool file_put_char(vm *vm, value f, char c);
bool file_put_int(vm *vm, value f, int64_t n);
bool file_flush(vm *vm, value f);   /* any file-like object; false: raised */
value sys_value(vm *vm, str *name); /* sys.name; unbound: none (nothing raised) */
value sys_attribute(vm *vm, const char *name);
/* To sys.stderr, errors ignored: for reports that can't fail. */
void file_write_stderr(vm *vm, str *s);

/* ---- file_stream.c: bytes ---- */
bool stream_reserve(vm *vm, file *s, size_t n); /* room for n more bytes behind end */
/* more read-ahead: 1, 0 at the end of the file, -1 raised */
int stream_fill(vm *vm, file *s);
bool stream_write(vm *vm, file *s, const void *p, size_t n);
bool stream_flush(vm *vm, file *s);
bool stream_before_read(vm *vm, file *s);  /* what is unwritten goes out first */
bool stream_before_write(vm *vm, file *s); /* read-ahead is given back */
int64_t stream_tell(vm *vm, file *s);      /* -1 raised */
bool stream_seek(vm *vm, file *s, int64_t offset, int whence, int64_t *out);
bool stream_close(vm *vm, file *s); /* closed in any case; false: raised */
/* the object dies: writes out, closes, frees; raises nothing */
void stream_drop(vm *vm, file *s);
/* every dirty file, whatever fails; false: something could not be written (nothing raised) */
bool files_flush_all(vm *vm);
bool files_finish(vm *vm);           /* at exit: the same, and says on stderr why stdout could not be written */
void stream_forget(vm *vm, file *s); /* unwritten data is dropped */
void file_write_fd(int fd, const char *s, size_t n);

/* ---- file_source.c: streams over other objects ---- */
value source_call(vm *vm, file *s, const char *name, value *args, uint32_t nargs);
value source_attribute(vm *vm, file *s, const char *name);
int source_test(vm *vm, file *s, const char *name);
int source_fill(vm *vm, file *s);
bool source_write(vm *vm, file *s, const uint8_t *p, size_t n, size_t *done);
int64_t source_tell(vm *vm, file *s);
int64_t source_seek(vm *vm, file *s, int64_t offset, int whence);
bool source_closed(vm *vm, file *s); /* mind raised(vm) */
void source_finalize(vm *vm, value v);
void file_source_slots(vm *vm);
/* file_open.c: a str, or NULL for None; whose argument it is goes into the message. */
bool file_text_argument(vm *vm, value v, const char *where, const char *name, str **out);
bool file_newline(vm *vm, str *s, uint8_t *out);
bool file_text_setup(vm *vm, file *f, value encoding, value errors, value newline, const char *where);

/* ---- file_text.c: characters ---- */
str *text_read(vm *vm, file *f, int64_t n);         /* n < 0: all; NULL raised */
str *text_readline(vm *vm, file *f, int64_t limit); /* "" at the end; limit < 0: none */
bool text_write(vm *vm, file *f, str *s);

#endif
