/* Who waits for whom: the graph of tasks, read off the waiting itself. Nothing is recorded while programs run. */
#ifndef AIOVM_RUNTIME_GRAPH_H
#define AIOVM_RUNTIME_GRAPH_H

#include "runtime/loop.h"

enum wait_kind {
    WAIT_READY, /* it is in the ready queue, or will be */
    WAIT_RUNNING,
    WAIT_TASK,   /* awaits another task */
    WAIT_TIMER,  /* a Future that a timer finishes: sleep */
    WAIT_FUTURE, /* any other Future, or something like one */
    WAIT_OBJECT, /* inside a method of ours: Lock.acquire, Queue.get, TaskGroup's end, ... */
};
typedef struct wait_state {
    enum wait_kind kind;
    value on;     /* Task, Future or the object whose method it is in; unbound: nothing */
    value holder; /* the task that has it (a lock), or had it last (an unfinished item of a queue); or unbound */
    str *method;  /* WAIT_OBJECT, WAIT_TIMER: of which function ("acquire"); or NULL */
} wait_state;

/* ---- graph.c: these allocate at most, and run no script ---- */
wait_state graph_wait(vm *vm, task *t);
/* Appends the Tasks and Futures that go on when `fut` (Future or Task) is done: plain awaits, gather, wait, shield,
 * as_completed, TaskGroup. false: raised. */
bool graph_awaiters(vm *vm, value fut, list *out);
/* The tasks that go on when t is done, through Futures in between (gather's), which are in the list as well. NULL
 * raised. */
list *graph_awaiting_tasks(vm *vm, task *t);
/* The waiting among `tasks` as it is now: valid until script runs. NULL raised. */
typedef struct graph graph;
graph *graph_new(vm *vm, const list *tasks);
void graph_free(vm *vm, graph *g);
/* the n-th task that t waits for; NULL after the last */
task *graph_blocker(vm *vm, const graph *g, task *t, size_t n);
/* The tasks of one cycle in order (each waits for the next), an empty list when there is none. NULL raised. */
list *graph_cycle(vm *vm, const graph *g, const list *tasks);

/* ---- place.c: where things are in the script, and where tasks were made ---- */
uint32_t place_here(vm *vm);         /* of the running script frame; 0: unknown */
uint32_t place_of(vm *vm, frame *f); /* of a script frame; 0: there is no room for it */
/* f or the nearest frame above it of a script that is not frozen; NULL: none */
frame *frame_running_script(frame *f);
str *place_running(vm *vm); /* "file:line in f" of the running script frame; empty: none */
/* the running script frame is where it has never been asked before */
bool place_first_time(vm *vm);
str *place_text(vm *vm, uint32_t place); /* "file:line in f"; empty when unknown; NULL raised */
bool place_get(vm *vm, uint32_t place, code **c, uint32_t *line);
void places_mark(vm *vm, runtime *rt);
void places_free(vm *vm, runtime *rt);
frame *frame_innermost_script(frame *root); /* of a suspended chain; NULL: there is no script in it */
str *frame_place(vm *vm, frame *root);      /* "file:line in f" of the innermost script frame; empty: none */
str *place_format(vm *vm, code *c, uint32_t line);

/* ---- trail.c ---- */
object *trail_record(vm *vm, task *t); /* of t, which fails now: who awaits it, and where; NULL: nobody */
str *trail_text(vm *vm, value trail);  /* its lines, each after a newline; NULL raised */

/* ---- dump.c: what all tasks do, as text ---- */
enum dump_format { DUMP_STACKS, DUMP_TABLE, DUMP_TREE, DUMP_JSON };
str *dump_tasks(vm *vm, enum dump_format format); /* of all loops of the VM; may run __repr__; NULL raised */
/* "waits for <Lock ...>, held by task 'b'," and the like; may run __repr__; NULL raised. */
str *wait_text(vm *vm, task *t);

#endif
