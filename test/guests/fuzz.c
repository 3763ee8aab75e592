/*
 * ACCESSES reads and writes of random MSRs and ports with random values, from a seed: whatever they do to this guest, they must not
 * reach the others. The trace tells how many were made and how many faulted. Native, long mode, with start.S; defines SEED, ACCESSES.
 * Health: port-misuse must not halt it.
 */
#include "trap.h"

#ifndef SEED
#define SEED 20260101
#endif
#ifndef ACCESSES
#define ACCESSES 120000
#endif

/* Where MSRs are (AMD64 Architecture Programmer's Manual vol. 2, "MSR Permissions Map"); a quarter is anywhere. */
static uint32_t pick_msr(uint64_t random)
{
    static const uint32_t starts[] = { 0, 0xC0000000, 0xC0010000 };
    unsigned range = random & 3;
    return range == 3 ? (uint32_t)(random >> 32) : starts[range] + (random >> 32 & 0x1FFF);
}

static int is_own(uint32_t msr)
{
    /* The guest itself needs these: EFER with long mode on; FS and GS it does not use. */
    return msr == 0xC0000080;
}

void main(void)
{
    uint64_t state = SEED, faults = 0;
    for (uint32_t i = 0; i < ACCESSES; i++) {
        uint64_t random = next_random(&state), value = next_random(&state), vector = NO_TRAP;
        uint32_t msr = pick_msr(random), low = (uint32_t)value, high = (uint32_t)(value >> 32);
        uint16_t port = (uint16_t)(random >> 16);
        switch (random >> 8 & 7) {
        case 0: vector = TRAP("rdmsr", : "=a"(low), "=d"(high) : "c"(msr)); break;
        case 1: vector = is_own(msr) ? NO_TRAP : TRAP("wrmsr", : : "c"(msr), "a"(low), "d"(high)); break;
        case 2: vector = TRAP("inb %%dx, %%al", : "+a"(low) : "d"(port)); break;
        case 3: vector = TRAP("inw %%dx, %%ax", : "+a"(low) : "d"(port)); break;
        case 4: vector = TRAP("inl %%dx, %%eax", : "+a"(low) : "d"(port)); break;
        case 5: vector = TRAP("outb %%al, %%dx", : : "a"(low), "d"(port)); break;
        case 6: vector = TRAP("outw %%ax, %%dx", : : "a"(low), "d"(port)); break;
        case 7: vector = TRAP("outl %%eax, %%dx", : : "a"(low), "d"(port)); break;
        }
        faults += vector != NO_TRAP;
    }
    cv_trace(GUEST_FAULTS, faults);
    cv_trace(GUEST_DONE, ACCESSES);
}
