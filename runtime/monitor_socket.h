/* Where the monitor of a VM listens: known to the command, which asks, and to monitor.c, which answers. A question is
 * one word and a newline: ps, tree, stacks or json; the answer is text, up to the end of the stream. */
#ifndef AIOVM_RUNTIME_MONITOR_SOCKET_H
#define AIOVM_RUNTIME_MONITOR_SOCKET_H

#include <stdio.h>

enum { MONITOR_VMS = 8 }; /* so many VMs of one process can be asked */

/* A name in the abstract namespace of Unix sockets, for the number-th VM of process pid: its length, no final NUL. */
static inline int monitor_socket_name(char *out, int size, long pid, int number)
{
    out[0] = 0;
    if (number) return 1 + snprintf(out + 1, (size_t)size - 1, "aiovm-%ld.%d", pid, number);
    return 1 + snprintf(out + 1, (size_t)size - 1, "aiovm-%ld", pid);
}

#endif
