/*
 * Says hello from C, once a second of its HW clock, three times.
 *
 * Program: native, long mode, with ../native/start.S. Memory: 64 KiB. Plan: any slot. Ports, health rules: none.
 */
#include "chronovisor.h"

#define SECOND 1000000000ull
#define TIMER 0

void cv_interrupt(unsigned line, uint64_t tsc)
{
    (void)tsc;
    static const char text[] = "hello from C\n";
    if (line == CV_LINE_HW_TIMER)
        cv_console(text, sizeof text - 1);
}

void main(const void *time_page)
{
    cv_set_enabled(1u << CV_LINE_HW_TIMER);
    cv_set_timer(TIMER, CV_CLOCK_HW, cv_now(time_page), SECOND);
    while (cv_timer_count(time_page, TIMER) < 3)
        cv_idle();
}
