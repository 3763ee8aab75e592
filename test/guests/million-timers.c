/*
 * Arms a timer a million times, on both clocks, over all that there are: some in the past, some periodic and short. Then asks for one too
 * many. Native, long mode, with start.S.
 */
#include "trap.h"

#ifndef TIMES
#define TIMES 1000000
#endif

void main(const void *time_page)
{
    uint64_t state = 1;
    for (unsigned i = 0; i < TIMES; i++) {
        uint64_t random = next_random(&state), now = cv_now(time_page);
        int64_t status = cv_set_timer(i % CV_TIMERS_MAX, i & 1 ? CV_CLOCK_EXEC : CV_CLOCK_HW, now - 1000 + (random & 0xFFFFF), random & 0x100000 ? 1000 : 0);
        if (status != CV_ERROR_OK && now >= 1000)
            cv_trace(GUEST_WRONG, (uint64_t)i << 32 | (uint32_t)status);
    }
    if (cv_set_timer(CV_TIMERS_MAX, CV_CLOCK_HW, 0, 0) != CV_ERROR_NONE)
        cv_trace(GUEST_WRONG, CV_TIMERS_MAX);
    cv_trace(GUEST_DONE, TIMES);
}
