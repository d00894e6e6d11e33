/* The parts of the module _io: streams in memory. */
#ifndef AIO_STDLIB_IO_MODULE_H
#define AIO_STDLIB_IO_MODULE_H

#include "module_state.h"
#include "vm/str.h"

bool string_io_add(vm *vm, module *m);
bool bytes_io_add(vm *vm, module *m);

/* ---- mod_io.c: what both kinds of stream do the same way ---- */

/* An optional size: None or unbound give dflt; false: raised. */
bool io_size(vm *vm, value v, int64_t dflt, int64_t *out);
/* Sets *whence (default 0); false: raised. */
bool io_whence(vm *vm, value v, int *out);
value io_closed_error(vm *vm); /* "I/O operation on closed file." */
/* A line by the readline method of a subclass, which must give an instance of `kind`; V_STOP at the
 * end. */
value io_next_line(vm *vm, value self, unsigned type_id, const char *kind);
/* Fills a stream's __dict__ from pickled state. */
bool io_restore_dict(vm *vm, value self, value state);

value io_iter(vm *vm, value self);
#define IO_DECLARE(NAME) value NAME(vm *vm, value *args, uint32_t nargs, value kwnames)
IO_DECLARE(io_enter);
IO_DECLARE(io_exit);
IO_DECLARE(io_flush);
IO_DECLARE(io_isatty);
IO_DECLARE(io_fileno);
IO_DECLARE(io_detach);
IO_DECLARE(io_readlines);
IO_DECLARE(io_writelines);

#define IO_COMMON_METHODS                                                                            \
    {"__enter__(self, /)", io_enter, NULL, 0}, {"__exit__(self, *args)", io_exit, NULL, 0},          \
        {"flush(self, /)", io_flush, "Does nothing.", 0},                                            \
        {"fileno(self, /)", io_fileno,                                                               \
         "Returns underlying file descriptor if one exists.\n\nAn OSError is raised if the IO "      \
         "object does not use a file descriptor.",                                                   \
         0},                                                                                         \
        {"detach(self, /)", io_detach, "Disconnect this buffer from its underlying raw stream.", 0}, \
    {                                                                                                \
        "writelines(self, lines, /)", io_writelines, "Write a list of lines to stream.", 0           \
    }

#endif
