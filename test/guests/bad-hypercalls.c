/*
 * Hypercalls that must be refused, each with its status; then random ones from a seed. Native, long mode, with start.S; not a system
 * partition, without ports. What is answered otherwise is told: GUEST_WRONG, the case's number in the upper half, the status below.
 */
#include "trap.h"

#ifndef SEED
#define SEED 4711
#endif
#ifndef RANDOM_CALLS
#define RANDOM_CALLS 2000
#endif
#define BEYOND 0x40000000ull
#define WRAPS 0xFFFFFFFFFFFFFF00ull

static const struct { uint64_t number, a, b, c; int64_t status; } refused[] = {
    { 0, 0, 0, 0, CV_ERROR_VERSION },
    { CV_HYPERCALL_VERSION + 0x10000, 0, 0, 0, CV_ERROR_VERSION },
    { 0x1FFFF, 0, 0, 0, CV_ERROR_UNKNOWN },
    { 0x10019, 0, 0, 0, CV_ERROR_UNKNOWN },
    { CV_HYPERCALL_GET_TIME, 3, 0, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_SET_TIMER, CV_TIMERS_MAX, 0, 0, CV_ERROR_NONE },
    { CV_HYPERCALL_SET_TIMER, CV_CLOCK_WALL << 16, 0, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_SET_TIMER, 0, WRAPS, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_CANCEL_TIMER, CV_TIMERS_MAX, 0, 0, CV_ERROR_NONE },
    { CV_HYPERCALL_CONSOLE, BEYOND, 16, 0, CV_ERROR_ADDRESS },
    { CV_HYPERCALL_CONSOLE, WRAPS, 256, 0, CV_ERROR_ADDRESS },
    { CV_HYPERCALL_CONSOLE, 0, CV_CONSOLE_MAX + 1, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_CONSOLE, 0, WRAPS, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_STATUS, CV_SELF, BEYOND, 0, CV_ERROR_ADDRESS },
    { CV_HYPERCALL_STATUS, 31, 0, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_HALT, 31, 0, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_RESET, 31, 0, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_SUSPEND, 31, 0, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_SWITCH_PLAN, 0, 0, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_READ_HEALTH, 0, 40, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_CONTROL_CLOCK, 0, 0, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_STOP, 0, 0, 0, CV_ERROR_PERMISSION },
    { CV_HYPERCALL_PORT_OPEN, 0, 0, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_PORT_OPEN, BEYOND, 4, 0, CV_ERROR_ADDRESS },
    { CV_HYPERCALL_PORT_OPEN, 0, 4, 0, CV_ERROR_NONE },
    { CV_HYPERCALL_PORT_WRITE, 7, 0, 4, CV_ERROR_NONE },
    { CV_HYPERCALL_PORT_READ, 7, 0, 4, CV_ERROR_NONE },
    { CV_HYPERCALL_SET_VECTOR_BASE, 31, 0, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_SET_VECTOR_BASE, 225, 0, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_SEND_INTERRUPT, 1000, 8, 0, CV_ERROR_NONE },
    { CV_HYPERCALL_WATCHDOG, WRAPS, 0, 0, CV_ERROR_INVALID },
    { CV_HYPERCALL_BATCH, BEYOND, 1, 0, CV_ERROR_ADDRESS },
    { CV_HYPERCALL_BATCH, 0x1000, CV_BATCH_MAX + 1, 0, CV_ERROR_INVALID },
};

/* Those that end or stop this guest, or that write to its memory at an address that happens to be right. */
static int is_harmful(uint64_t number)
{
    switch (number) {
    case CV_HYPERCALL_IDLE: case CV_HYPERCALL_HALT: case CV_HYPERCALL_SUSPEND: case CV_HYPERCALL_RESET: case CV_HYPERCALL_STOP:
    case CV_HYPERCALL_STATUS: case CV_HYPERCALL_PORT_READ: case CV_HYPERCALL_READ_HEALTH: case CV_HYPERCALL_BATCH:
    case CV_HYPERCALL_WATCHDOG:
        return 1;
    default:
        return 0;
    }
}

void main(void)
{
    unsigned count = sizeof refused / sizeof *refused;
    for (unsigned i = 0; i < count; i++) {
        int64_t status = cv_hypercall(refused[i].number, refused[i].a, refused[i].b, refused[i].c, 0).status;
        if (status != refused[i].status)
            cv_trace(GUEST_WRONG, (uint64_t)i << 32 | (uint32_t)status);
    }
    uint64_t state = SEED;
    for (unsigned i = 0; i < RANDOM_CALLS; i++) {
        uint64_t random = next_random(&state), number = (random & 1 ? 0x10000 : random & ~0xFFFFull) | (random >> 8 & 0x1F);
        /* Small ones among the arguments: they get past the first check. */
        uint64_t a = next_random(&state) >> (random >> 16 & 63), b = next_random(&state) >> (random >> 24 & 63), c = next_random(&state);
        if (!is_harmful(number) && number != CV_HYPERCALL_TRACE && cv_hypercall(number, a, b, c, random).status > 0)
            cv_trace(GUEST_WRONG, number);
    }
    cv_trace(GUEST_DONE, count + RANDOM_CALLS);
}
