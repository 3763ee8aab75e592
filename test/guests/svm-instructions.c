/* The instructions of SVM, which a guest does not have: each has to raise #UD. Native, long mode, with start.S. */
#include "trap.h"

#define VECTOR_UD 6

static unsigned done;

static void expect_invalid(unsigned number, uint64_t vector)
{
    if (vector != VECTOR_UD)
        cv_trace(GUEST_WRONG, number << 8 | vector);
    done++;
}

void main(void)
{
    expect_invalid(0, TRAP("vmrun", : : "a"(0x8000)));
    expect_invalid(1, TRAP("vmload", : : "a"(0x8000)));
    expect_invalid(2, TRAP("vmsave", : : "a"(0x8000)));
    expect_invalid(3, TRAP("clgi"));
    expect_invalid(4, TRAP("stgi"));
    expect_invalid(5, TRAP("invlpga", : : "a"(0), "c"(0)));
    expect_invalid(6, TRAP("skinit", : : "a"(0)));
    cv_trace(GUEST_DONE, done);
}
