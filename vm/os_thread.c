/* Starting an OS thread. */
#include "os_thread.h"

#include <pthread.h>
#include <signal.h>

int os_thread_start(size_t stack_size, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_t id;
    sigset_t all, before;
    int err = pthread_attr_init(&attr);
    if (err) return err;
    if (stack_size) err = pthread_attr_setstacksize(&attr, stack_size);
    if (err == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        err = pthread_create(&id, &attr, run, arg);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attr);
    return err;
}
