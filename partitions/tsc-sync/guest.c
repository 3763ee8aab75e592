/*
 * What an operating system of 2007 does for its clock: timer 0 of the HPET, legacy replacement route, a tick every 10 ms, which it counts.
 * At each tick it says what its HPET and its TSC show, read by the handler's first instructions. Trace records: TICK with the main counter,
 * STAMP with the TSC, both once per tick; PERIOD with COUNTER_CLK_PERIOD in fs, first of all; NO_HPET if the ACPI tables tell of none.
 * Native, long mode, with start.S.
 */
#include "pc.h"

enum { PERIOD = 1, TICK = 2, STAMP = 3, NO_HPET = 4 };

#define TICK_FS 10000000000000ull

static uint64_t hpet;

void cv_interrupt(unsigned irq, uint64_t tsc)
{
    uint64_t count = mmio_read64(hpet + HPET_MAIN_CNT);
    if (irq != 0)
        return;
    cv_trace(TICK, count);
    cv_trace(STAMP, tsc);
    pic_end();
}

void main(void)
{
    hpet = hpet_base();
    if (!hpet) {
        cv_trace(NO_HPET, 0);
        cv_halt();
    }
    uint64_t period = mmio_read64(hpet + HPET_GCAP_ID) >> 32;
    cv_trace(PERIOD, period);
    pic_start(1 << 0);
    mmio_write64(hpet + HPET_GEN_CONF, 0);
    mmio_write64(hpet + HPET_MAIN_CNT, 0);
    mmio_write64(hpet + HPET_TIMER_CONF(0), HPET_INT_ENB_CNF | HPET_TYPE_CNF | HPET_VAL_SET_CNF);
    /* "Timer N Comparator Value Register": under VAL_SET_CNF this is the first deadline and the period. */
    mmio_write64(hpet + HPET_TIMER_COMPARATOR(0), TICK_FS / period);
    mmio_write64(hpet + HPET_GEN_CONF, HPET_ENABLE_CNF | HPET_LEG_RT_CNF);
    for (;;)
        cv_idle();
}
