/*
 * For guests that do what they must not: an instruction that may raise an exception, and what it raised. With start.S. What a guest
 * finds it says by trace records: GUEST_DONE with a count when it got through all of it, GUEST_WRONG with what it did not expect.
 */
#pragma once
#include "chronovisor.h"

enum { GUEST_DONE = 1, GUEST_FAULTS = 2, GUEST_WRONG = 3 };

static volatile uint64_t trap_resume, trap_vector;
#define NO_TRAP 0xFF

/* What an instruction raised, NO_TRAP if nothing. Its operands follow as for asm: outputs, inputs, clobbers. */
#define TRAP(instruction, ...)                                                                                                   \
    ({                                                                                                                           \
        trap_vector = NO_TRAP;                                                                                                   \
        __asm__ volatile("movq $1f, trap_resume\n\t" instruction "\n1:" __VA_ARGS__);                                             \
        trap_resume = 0;                                                                                                         \
        trap_vector;                                                                                                             \
    })

void cv_exception(struct cv_frame *frame)
{
    if (!trap_resume) {
        cv_raise_health(frame->vector);
        cv_halt();
    }
    trap_vector = frame->vector;
    frame->rip = trap_resume;
}

/* Marsaglia's xorshift64: never 0, so the seed must not be either. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
