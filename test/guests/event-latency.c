/*
 * Runs without ever leaving by itself; when an event of its port `events` is there, traces how long ago it was (code 1, ns). Native, long mode,
 * with start.S.
 */
#include "chronovisor.h"

#define LATENCY 1

static const char name[] = "events";
static const volatile void *page;
static uint64_t port;

void cv_interrupt(unsigned line, uint64_t tsc)
{
    (void)tsc;
    if (line != CV_LINE_PORT)
        return;
    uint64_t now = cv_now(page), instant;
    while (cv_hypercall(CV_HYPERCALL_PORT_READ, port, (uint64_t)&instant, sizeof instant, 0).status >= 0)
        cv_trace(LATENCY, now - instant);
}

void main(const void *time_page)
{
    page = time_page;
    port = cv_hypercall(CV_HYPERCALL_PORT_OPEN, (uint64_t)name, sizeof name - 1, 0, 0).value;
    cv_set_enabled(1u << CV_LINE_PORT);
    __asm__ volatile("sti");
    for (;;)
        __asm__ volatile("" : : : "memory");
}
