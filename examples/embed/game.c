/* A frame loop with 10,000 scripted entities, each an async function that lives as long as the entity and waits for the
 * next frame by `await next_frame()`. Scripts get a budget of fuel per frame: who has not had a turn when it is used up
 * goes on in the next frame, so a slow script costs frames of its own kind, never the frame rate.
 *
 *     game [ENTITIES [FRAMES]]
 */
#include <aiovm.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct entity {
    double x, y;
    uint32_t frames;
} entity;

static aiovm_status get_x(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)vm;
    *out = aiovm_float(((entity *)a->self)->x);
    return AIOVM_OK;
}
static aiovm_status entity_move(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    entity *e = a->self;
    double dx = 0, dy = 0;
    (void)out;
    if (aiovm_unpack(vm, a, "dd", &dx, &dy)) return AIOVM_ERROR;
    e->x += dx;
    e->y += dy;
    e->frames++;
    return AIOVM_OK;
}
static const aiovm_func methods[] = {{"move(self, dx, dy)", entity_move, "Move by so much.", 0}, {0}};
static const aiovm_property properties[] = {{"x", get_x, NULL, "Where it is."}, {0}};
static const aiovm_class entity_class = {
    .name = "game.Entity", .size = sizeof(entity), .methods = methods, .properties = properties};

/* One future per frame, which all entities await. */
static aiovm_op *frame_op;
static aiovm_ref *frame_future;
static aiovm_status next_frame(aiovm *vm, aiovm_args *a, aiovm_value *out)
{
    (void)a;
    if (!frame_op) {
        aiovm_status status = aiovm_future(vm, NULL, NULL, &frame_op, out);
        if (status) return status;
        frame_future = aiovm_ref_new(vm, *out);
        return frame_future ? AIOVM_OK : AIOVM_NOMEM;
    }
    *out = aiovm_ref_get(frame_future);
    return AIOVM_OK;
}
static void end_frame(aiovm *vm)
{
    if (!frame_op) return;
    aiovm_op *op = frame_op;
    frame_op = NULL;
    aiovm_resolve(vm, op, aiovm_none());
    aiovm_op_release(op);
    aiovm_ref_release(frame_future);
    frame_future = NULL;
}
static const aiovm_func functions[] = {{"next_frame()", next_frame, "Await it to go on in the next frame.", 0}, {0}};

static const char script[] = "from game import next_frame\n"
                             "async def wander(e, speed):\n"
                             "    while True:\n"
                             "        for i in range(10):\n"
                             "            e.move(speed, 0.5)\n"
                             "            await next_frame()\n"
                             "        speed = -speed\n"
                             "async def slow(e, speed):\n"
                             "    while True:\n"
                             "        for i in range(50000): pass\n"
                             "        e.move(1, 0)\n"
                             "        await next_frame()\n";

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

int main(int argc, char **argv)
{
    int entities = argc > 1 ? atoi(argv[1]) : 10000, frames = argc > 2 ? atoi(argv[2]) : 60;
    aiovm_config config = {.size = sizeof config, .flags = AIOVM_HOST_LOOP};
    aiovm *vm = aiovm_open(&config);
    if (!vm || aiovm_module(vm, "game", functions, NULL) || aiovm_eval(vm, script, AIOVM_ZTS, "entities.aio", NULL))
        return 1;
    entity **all = calloc((size_t)entities, sizeof *all);
    aiovm_ref **refs = calloc((size_t)entities, sizeof *refs);
    if (!all || !refs) return 1;
    for (int i = 0; i < entities; i++) {
        aiovm_value f, args[2], coroutine;
        all[i] = aiovm_new(vm, &entity_class, &args[0]);
        refs[i] = all[i] ? aiovm_ref_new(vm, args[0]) : NULL;
        args[1] = aiovm_float(i % 7);
        if (!refs[i] || aiovm_get_global(vm, i == 5 ? "slow" : "wander", &f) ||
            aiovm_call(vm, f, 2, args, &coroutine) || aiovm_spawn(vm, coroutine, NULL, NULL, NULL))
            return 1;
    }
    double worst = 0, total = 0;
    for (int frame = 0; frame < frames; frame++) {
        double start = now_ms();
        uint64_t budget = 500000, before = aiovm_fuel_used(vm), used = 0;
        while (used < budget && aiovm_run_ready(vm, budget - used) == AIOVM_STATE_READY)
            used = aiovm_fuel_used(vm) - before;
        end_frame(vm);
        double ms = now_ms() - start;
        total += ms;
        if (ms > worst && frame > 0) worst = ms;
    }
    uint64_t steps = 0;
    for (int i = 0; i < entities; i++) steps += all[i]->frames;
    if (argc > 3) printf("%.2f ms per frame, %.2f at worst\n", total / frames, worst);
    uint64_t wanted = (uint64_t)entities * (uint64_t)(frames - 1);
    printf("%d entities in %d frames: %s\n", entities, frames,
           steps >= wanted ? "all moved in each" : "some missed their turn");
    for (int i = 0; i < entities; i++) aiovm_ref_release(refs[i]);
    aiovm_ref_release(frame_future);
    aiovm_op_release(frame_op);
    free(all);
    free(refs);
    return aiovm_close(vm) != AIOVM_OK;
}
