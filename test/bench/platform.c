/*
 * A virtual PC's clocks against its TSC over SECONDS, and its exits. For clock n of the list below, trace records: code 16 + 2 * n the counts that
 * went by, modulo 2^16 for the 8254, code 17 + 2 * n the TSC ticks, from the instruction that read it first to the one that read it last. Then, of
 * TICKS ticks of the HPET, if it never loses the CPU, code 32: the most TSC ticks from the comparator's match to the handler's first instruction; and of ROUNDS
 * accesses each the least from the instruction before to the one after, code 33 and up: nothing, HPET, 8254, a write to the local APIC.
 * Native, long mode, with start.S. TSC of 1 GHz, slots of whole milliseconds.
 */
#include "pc.h"

enum { HPET_CLOCK, PIT_CLOCK, LAPIC_CLOCK, RTC_CLOCK, PM_CLOCK, CLOCKS };
#define FIRST_CODE 16
#define LATENESS 32
#define COSTS 33

#ifndef SECONDS
#define SECONDS 100
#endif
#define GHZ 1000000000ull
#define TICKS 500
#define TICK_NS 1000000
#define ROUNDS 100

#define HPET 0xFED00000ull
#define LAPIC 0xFEE00000ull
#define LAPIC_TPR (LAPIC + 0x80)
#define LAPIC_INITIAL_COUNT (LAPIC + 0x380)
#define LAPIC_CURRENT_COUNT (LAPIC + 0x390)
#define LAPIC_DIVIDE (LAPIC + 0x3E0)
#define DIVIDE_BY_128 10
#define RTC_C_UF 0x10

static volatile uint64_t wanted, late, ticks;
static uint64_t period;

/* What the handler sees of the HPET's ticks; the 8254's only wake it. */
void cv_interrupt(unsigned irq, uint64_t tsc)
{
    (void)irq;
    pic_end();
    if (!wanted)
        return;
    if (tsc - wanted > late)
        late = tsc - wanted;
    wanted += period;
    ticks++;
}

static uint8_t cmos(uint8_t index)
{
    out8(0x70, index);
    return in8(0x71);
}

struct reading { uint64_t count, tsc; };

static struct reading read_clock(unsigned clock)
{
    struct reading now = { 0, rdtsc() };
    uint32_t value;
    switch (clock) {
    case HPET_CLOCK: now.count = mmio_read64(HPET + HPET_MAIN_CNT); break;
    case PIT_CLOCK:
        out8(0x43, 0);
        now.count = in8(0x40);
        now.count = 0x10000 - (now.count | in8(0x40) << 8);
        break;
    case LAPIC_CLOCK: now.count = ~mmio_read32(LAPIC_CURRENT_COUNT); break;
    case RTC_CLOCK: /* At an update, whose seconds are then read. */
        cmos(12);
        while (!(cmos(12) & RTC_C_UF))
            ;
        now.tsc = rdtsc();
        now.count = cmos(0) % 16 + 10 * (cmos(0) / 16) + 60 * (cmos(2) % 16 + 10 * (cmos(2) / 16));
        break;
    case PM_CLOCK:
        __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(0x608));
        now.count = value;
        break;
    }
    return now;
}

static uint64_t least(unsigned what)
{
    uint64_t least = ~0ull;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t start = rdtsc();
        switch (what) {
        case 1: mmio_read32(HPET + HPET_MAIN_CNT); break;
        case 2: in8(0x40); break;
        case 3: mmio_write32(LAPIC_TPR, 0); break;
        }
        uint64_t took = rdtsc() - start;
        if (took < least)
            least = took;
    }
    return least;
}

void main(const void *time_page)
{
    struct reading first[CLOCKS], last[CLOCKS];
    pic_start(1 << 0);
    out8(0x43, 0x34); /* Channel 0, mode 2, 65,536 counts. */
    out8(0x40, 0);
    out8(0x40, 0);
    mmio_write32(LAPIC_DIVIDE, DIVIDE_BY_128);
    mmio_write32(LAPIC_INITIAL_COUNT, ~0u);
    mmio_write64(HPET + HPET_GEN_CONF, HPET_ENABLE_CNF);
    for (unsigned clock = 0; clock < CLOCKS; clock++)
        first[clock] = read_clock(clock);
    uint64_t end = rdtsc() + SECONDS * GHZ;
    while (rdtsc() < end)
        cv_idle();
    for (unsigned clock = 0; clock < CLOCKS; clock++)
        last[clock] = read_clock(clock);
    for (unsigned clock = 0; clock < CLOCKS; clock++) {
        cv_trace(FIRST_CODE + 2 * clock, last[clock].count - first[clock].count);
        cv_trace(FIRST_CODE + 2 * clock + 1, last[clock].tsc - first[clock].tsc);
    }

    /* The 8254 waits for a count, and what came of it before is taken. */
    out8(0x43, 0x34);
    __asm__ volatile("sti; nop; nop; cli" : : : "memory");
    /* In the middle between two milliseconds, where no slot begins or ends. */
    uint64_t fs = mmio_read64(HPET + HPET_GCAP_ID) >> 32;
    mmio_write64(HPET + HPET_TIMER_CONF(0), HPET_INT_ENB_CNF | HPET_TYPE_CNF | HPET_VAL_SET_CNF);
    struct reading now = read_clock(HPET_CLOCK);
    uint64_t ahead = (2 * TICK_NS + TICK_NS / 2 - cv_now(time_page) % TICK_NS) * 1000000 / fs;
    period = TICK_NS;
    mmio_write64(HPET + HPET_TIMER_COMPARATOR(0), now.count + ahead);
    mmio_write64(HPET + HPET_TIMER_COMPARATOR(0), TICK_NS * 1000000ull / fs);
    wanted = now.tsc + ahead * fs / 1000000;
    mmio_write64(HPET + HPET_GEN_CONF, HPET_ENABLE_CNF | HPET_LEG_RT_CNF);
    while (ticks < TICKS)
        cv_idle();
    cv_trace(LATENESS, late);
    for (unsigned what = 0; what < 4; what++)
        cv_trace(COSTS + what, least(what));
    cv_halt();
}
