/*
 * Is woken by the start of each slot, says how many it has seen and gives the rest away. Native, long mode, with start.S.
 */
#include "chronovisor.h"

static char *decimal(char *end, unsigned value)
{
    do
        *--end = (char)('0' + value % 10);
    while (value /= 10);
    return end;
}

void cv_interrupt(unsigned line, uint64_t tsc)
{
    static unsigned slots;
    (void)tsc;
    if (line != CV_LINE_SLOT_START)
        return;
    char text[32] = "slot ";
    char digits[12];
    char *from = decimal(digits + sizeof digits, ++slots), *to = text + 5;
    while (from < digits + sizeof digits)
        *to++ = *from++;
    *to++ = '\n';
    cv_hypercall(CV_HYPERCALL_CONSOLE, (uint64_t)text, (uint64_t)(to - text), 0, 0);
}

void main(const void *time_page)
{
    (void)time_page;
    cv_set_enabled(1u << CV_LINE_SLOT_START);
    for (;;)
        cv_idle();
}
