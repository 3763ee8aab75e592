/* Invalid opcodes over and over, each of which it handles. Native, long mode, with start.S. Health: a rule for fault 6 that lets it go on. */
#include "trap.h"

void main(void)
{
    for (;;)
        TRAP("ud2");
}
