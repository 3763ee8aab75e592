/*
 * What leaving the guest costs, from the instruction before to the one after, in ns of the TSC: least and most of ROUNDS, stretches in which
 * another partition ran left out. Trace records: code 32 + 2 * n the least, 33 + 2 * n the most, n as in the list below. Native, long mode,
 * with start.S. Plan: slots of 1 ms or more, with more than SLOT_GAP between them. I/O port: 80h traced, or port-misuse ignored. Health: memory-violation
 * propagated, whose way through the guest's own handler counts.
 */
#include "trap.h"

enum { NOTHING, HYPERCALL, CPUID, MSR, IO, IDLE, TIME_PAGE, NESTED_PAGE_FAULT, WHATS };
#define ROUNDS 200
#define SLOT_GAP 200000
#define FIRST_CODE 32
#define MSR_PAT 0x277

static inline uint64_t stamp(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t once(unsigned what, const void *time_page)
{
    uint32_t a = 0, b, c = 0, d;
    uint64_t start = stamp();
    switch (what) {
    case HYPERCALL: cv_hypercall(CV_HYPERCALL_VERSION, 0, 0, 0, 0); break;
    case CPUID: __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)); break;
    case MSR: c = MSR_PAT; __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(c)); break;
    case IO: __asm__ volatile("outb %%al, $0x80" : : "a"(a)); break;
    case IDLE: /* An interrupt is pending: HLT exits and is entered again at once. */
        cv_set_timer(0, CV_CLOCK_HW, 0, 0);
        start = stamp();
        cv_idle();
        break;
    case NESTED_PAGE_FAULT: TRAP("movl %0, (%1)", : : "r"(0), "r"(time_page) : "memory"); break; /* That page is read-only. */
    case TIME_PAGE: __asm__ volatile("" : : "r"(cv_now(time_page))); break;
    }
    return stamp() - start;
}

void main(const void *time_page)
{
    cv_set_enabled(1u << CV_LINE_HW_TIMER);
    for (unsigned what = 0; what < WHATS; what++) {
        uint64_t least = ~0ull, most = 0;
        for (unsigned i = 0; i < ROUNDS; i++) {
            uint64_t ticks = once(what, time_page);
            if (ticks < least)
                least = ticks;
            if (ticks > most && ticks < SLOT_GAP)
                most = ticks;
        }
        cv_trace(FIRST_CODE + 2 * what, least);
        cv_trace(FIRST_CODE + 1 + 2 * what, most);
    }
    cv_trace(GUEST_DONE, WHATS);
}
