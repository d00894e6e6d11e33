/* errno: its texts and the subclasses of OSError that stand for it. */
#include "exception.h"

#include <errno.h>

static const struct {
    int err;
    const char *text;
} errno_texts[] = {
#define ERRNO(NAME, TEXT) {NAME, TEXT},
#include "os_error.def"
#undef ERRNO
};

const char *os_error_text(int err)
{
    if (err == 0) return "Success";
    for (size_t i = 0; i < sizeof errno_texts / sizeof *errno_texts; i++)
        if (errno_texts[i].err == err) return errno_texts[i].text;
    return "Unknown error";
}

unsigned os_error_class(int64_t err)
{
    switch (err) {
    case EAGAIN:
    case EALREADY:
    case EINPROGRESS: return EXC_BlockingIOError;
    case EPIPE:
    case ESHUTDOWN: return EXC_BrokenPipeError;
    case ECHILD: return EXC_ChildProcessError;
    case ECONNABORTED: return EXC_ConnectionAbortedError;
    case ECONNREFUSED: return EXC_ConnectionRefusedError;
    case ECONNRESET: return EXC_ConnectionResetError;
    case EEXIST: return EXC_FileExistsError;
    case ENOENT: return EXC_FileNotFoundError;
    case EISDIR: return EXC_IsADirectoryError;
    case ENOTDIR: return EXC_NotADirectoryError;
    case EINTR: return EXC_InterruptedError;
    case EACCES:
    case EPERM: return EXC_PermissionError;
    case ESRCH: return EXC_ProcessLookupError;
    case ETIMEDOUT: return EXC_TimeoutError;
    default: return 0;
    }
}
