/* Starting an OS thread: apart from the rest, because <signal.h> and the VM both have a `raise`. */
#ifndef AIO_OS_THREAD_H
#define AIO_OS_THREAD_H

#include <stddef.h>

/* A joinable thread that blocks every signal; stack_size 0: the system's default. 0, or an errno value. */
int os_thread_start(size_t stack_size, void *(*run)(void *), void *arg);

#endif
