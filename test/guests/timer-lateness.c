/*
 * How late virtual timers are inside a slot: deadlines at random, NEAREST to FARTHEST ns ahead, each armed, waited for by HLT and by a
 * loop in turn, and stamped by the first instructions of the interrupt's stub. What would fall behind the slot's end is not armed.
 * Trace records: 48 the least lateness in ns (negative: early), 49 the most, 50 how many. Native, long mode, with start.S; defines SEED,
 * COUNT, NEAREST, FARTHEST. Plan: slots longer than FARTHEST.
 */
#include "trap.h"

#ifndef SEED
#define SEED 99
#endif
#ifndef COUNT
#define COUNT 1000
#endif
#ifndef NEAREST
#define NEAREST 50000
#endif
#ifndef FARTHEST
#define FARTHEST 1000000
#endif
#define TIMER 0

static volatile uint64_t expired_tsc;

void cv_interrupt(unsigned line, uint64_t tsc)
{
    if (line == CV_LINE_HW_TIMER)
        expired_tsc = tsc;
}

/* The HW clock at a TSC value of this slot. */
static uint64_t at_tsc(const void *time_page, uint64_t tsc)
{
    const uint8_t *page = time_page;
    uint64_t start = *(const volatile uint64_t *)(page + CV_TIME_PAGE_TSC_BASE), base = *(const volatile uint64_t *)(page + CV_TIME_PAGE_HW_BASE);
    uint32_t multiplier = *(const volatile uint32_t *)(page + CV_TIME_PAGE_HW_MULTIPLIER), shift = *(const volatile uint32_t *)(page + CV_TIME_PAGE_SHIFT);
    return base + (uint64_t)(((__int128)(int64_t)(tsc - start) * multiplier) >> shift);
}

void main(const void *time_page)
{
    uint64_t state = SEED;
    int64_t least = INT64_MAX, most = INT64_MIN;
    unsigned count = 0;
    cv_set_enabled(1u << CV_LINE_HW_TIMER);
    while (count < COUNT) {
        uint64_t now = cv_now(time_page), end = *(const volatile uint64_t *)((const uint8_t *)time_page + CV_TIME_PAGE_SLOT_END);
        uint32_t slot = *(const volatile uint32_t *)((const uint8_t *)time_page + CV_TIME_PAGE_SEQUENCE);
        uint64_t deadline = now + NEAREST + next_random(&state) % (FARTHEST - NEAREST);
        if (deadline + NEAREST > end) {
            /* To the next slot: a deadline behind the end of this one expires at its start. */
            deadline = end;
            slot = ~0u;
        }
        expired_tsc = 0;
        cv_set_timer(TIMER, CV_CLOCK_HW, deadline, 0);
        if (count & 1)
            while (!expired_tsc)
                cv_idle();
        else {
            __asm__ volatile("sti");
            while (!expired_tsc)
                ;
            __asm__ volatile("cli");
        }
        int64_t late = (int64_t)(at_tsc(time_page, expired_tsc) - deadline);
        /* Another slot began meanwhile: not what is measured. */
        if (slot == ~0u || *(const volatile uint64_t *)((const uint8_t *)time_page + CV_TIME_PAGE_SLOT_END) != end)
            continue;
        if (late < least)
            least = late;
        if (late > most)
            most = late;
        count++;
    }
    cv_trace(48, (uint64_t)least);
    cv_trace(49, (uint64_t)most);
    cv_trace(50, count);
    cv_trace(GUEST_DONE, count);
}
