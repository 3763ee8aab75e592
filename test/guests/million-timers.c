/*
 * Arms a timer a million times, on both clocks, over all that there are: some in the past, some with the shortest period there is. Then asks
 * for one too many, and for too short a period. Native, long mode, with start.S.
 */
#include "trap.h"

#ifndef TIMES
#define TIMES 1000000
#endif
/* Whether some are periodic: each of them expires 20,000 times a second. */
#ifndef PERIODIC
#define PERIODIC 1
#endif
/* Whether every other one is on the execution clock; all are on the other one otherwise. */
#ifndef BOTH_CLOCKS
#define BOTH_CLOCKS 1
#endif

void main(const void *time_page)
{
    uint64_t state = 1;
    for (unsigned i = 0; i < TIMES; i++) {
        uint64_t random = next_random(&state), now = cv_now(time_page);
        int64_t status = cv_set_timer(i % CV_TIMERS_MAX, BOTH_CLOCKS && (i & 1) ? CV_CLOCK_EXEC : CV_CLOCK_HW, now - 1000 + (random & 0xFFFFF), PERIODIC && (random & 0x100000) ? CV_TIMER_PERIOD_MIN : 0);
        if (status != CV_ERROR_OK && now >= 1000)
            cv_trace(GUEST_WRONG, (uint64_t)i << 32 | (uint32_t)status);
    }
    if (cv_set_timer(CV_TIMERS_MAX, CV_CLOCK_HW, 0, 0) != CV_ERROR_NONE)
        cv_trace(GUEST_WRONG, CV_TIMERS_MAX);
    if (cv_set_timer(0, CV_CLOCK_HW, 0, CV_TIMER_PERIOD_MIN - 1) != CV_ERROR_INVALID)
        cv_trace(GUEST_WRONG, CV_TIMER_PERIOD_MIN);
    cv_trace(GUEST_DONE, TIMES);
}
