/* Is woken by the start of each slot and gives the rest of it away. Native, long mode, with start.S. */
#include "chronovisor.h"

void main(const void *time_page)
{
    (void)time_page;
    cv_set_enabled(1u << CV_LINE_SLOT_START);
    for (;;)
        cv_idle();
}
