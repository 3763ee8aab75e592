/*
 * One thing by CASE that a virtual PC's software does with its devices. Trace records: TICK with the TSC at a handler's start, WANTED with the TSC at
 * which the first tick was to come, SEEN with what a case has seen. Native, long mode, with start.S.
 */
#include "pc.h"

enum { TICK = 1, WANTED = 2, SEEN = 3 };

#ifndef CASE
#define CASE ROUTE_PIC
#endif
#define ROUTE_PIC 1
#define ROUTE_IOAPIC_EDGE 2
#define ROUTE_IOAPIC_LEVEL 3
#define ROUTE_LAPIC_PERIODIC 4
#define ROUTE_LAPIC_ONE_SHOT 5
#define ROUTE_LAPIC_DEADLINE 6
#define ROUTE_FSB 7
#define CONSOLE 8
#define RESET_CF9 9
#define RESET_64 10
#define SWITCH_OFF 11
#define TSC_WRITES 12

#define TICKS 10
#define TICK_NS 1000000ull
#define HPET_COUNTS 62500 /* of a tick, at 62.5 MHz */
#define HPET_STATUS 0x020
#define HPET_FSB(n) (0x110 + 0x20 * (n))
#define VECTOR (CV_DEFAULT_VECTOR_BASE + 20)

#define IOAPIC 0xFEC00000ull
#define HPET 0xFED00000ull
#define LAPIC 0xFEE00000ull
#define LAPIC_EOI (LAPIC + 0xB0)
#define LAPIC_LVT_TIMER (LAPIC + 0x320)
#define LAPIC_INITIAL_COUNT (LAPIC + 0x380)
#define LAPIC_DIVIDE (LAPIC + 0x3E0)
#define DIVIDE_BY_1 0xB
#define MSR_TSC 0x10
#define MSR_TSC_ADJUST 0x3B
#define MSR_TSC_DEADLINE 0x6E0

static uint64_t stamps[TICKS], deadline;
static volatile unsigned ticks;

static uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}
static void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

void cv_interrupt(unsigned line, uint64_t tsc)
{
    if (ticks < TICKS)
        stamps[ticks++] = tsc;
    if (CASE == ROUTE_IOAPIC_LEVEL)
        mmio_write32(HPET + HPET_STATUS, 1 << 2);
    if (CASE == ROUTE_LAPIC_ONE_SHOT && ticks < TICKS) {
        mmio_write32(LAPIC_INITIAL_COUNT, TICK_NS - (rdtsc() - deadline - TICK_NS * (ticks - 1)));
    }
    if (CASE == ROUTE_LAPIC_DEADLINE && ticks < TICKS)
        wrmsr(MSR_TSC_DEADLINE, deadline + TICK_NS * ticks);
    if (line == 0)
        pic_end();
    else
        mmio_write32(LAPIC_EOI, 0);
}

/* Timer 2, or with the legacy route timer 0, from a count of 0 on, a tick each TICK_NS. */
static void start_hpet(unsigned timer, uint64_t configuration, uint64_t general)
{
    mmio_write64(HPET + HPET_TIMER_CONF(timer), HPET_INT_ENB_CNF | HPET_TYPE_CNF | HPET_VAL_SET_CNF | configuration);
    mmio_write64(HPET + HPET_TIMER_COMPARATOR(timer), HPET_COUNTS);
    deadline = rdtsc() + TICK_NS;
    mmio_write64(HPET + HPET_GEN_CONF, HPET_ENABLE_CNF | general);
}

static void route_ioapic(uint32_t flags)
{
    mmio_write32(IOAPIC, 0x10 + 2 * 20);
    mmio_write32(IOAPIC + 0x10, VECTOR | flags);
}

static void start_ticks(void)
{
    switch (CASE) {
    case ROUTE_PIC:
        pic_start(1 << 0);
        start_hpet(0, 0, HPET_LEG_RT_CNF);
        break;
    case ROUTE_IOAPIC_EDGE:
        route_ioapic(0);
        start_hpet(2, 20 << 9, 0);
        break;
    case ROUTE_IOAPIC_LEVEL:
        route_ioapic(1 << 15);
        start_hpet(2, 20 << 9 | 1 << 1, 0);
        break;
    case ROUTE_FSB:
        mmio_write64(HPET + HPET_FSB(2), LAPIC << 32 | VECTOR);
        start_hpet(2, 1 << 14, 0);
        break;
    case ROUTE_LAPIC_PERIODIC:
    case ROUTE_LAPIC_ONE_SHOT:
        mmio_write32(LAPIC_DIVIDE, DIVIDE_BY_1);
        mmio_write32(LAPIC_LVT_TIMER, VECTOR | (CASE == ROUTE_LAPIC_PERIODIC ? 1 << 17 : 0));
        deadline = rdtsc() + TICK_NS;
        mmio_write32(LAPIC_INITIAL_COUNT, TICK_NS);
        break;
    case ROUTE_LAPIC_DEADLINE:
        mmio_write32(LAPIC_LVT_TIMER, VECTOR | 2 << 17);
        deadline = rdtsc() + TICK_NS;
        wrmsr(MSR_TSC_DEADLINE, deadline);
        break;
    }
}

static void tsc_writes(const void *time_page)
{
    uint64_t hpet = mmio_read64(HPET + HPET_MAIN_CNT), now = cv_now(time_page), tsc = rdtsc();
    wrmsr(MSR_TSC, tsc + 5000000000ull);
    cv_trace(SEEN, rdtsc() - tsc > 5000000000ull && rdtsc() - tsc < 5001000000ull);
    cv_trace(SEEN, rdmsr(MSR_TSC_ADJUST) > 4999000000ull);
    wrmsr(MSR_TSC_ADJUST, 0);
    cv_trace(SEEN, rdtsc() - tsc < 1000000);
    cv_trace(SEEN, cv_now(time_page) - now < 1000000 && mmio_read64(HPET + HPET_MAIN_CNT) - hpet < 62500);
    uint32_t low, high, aux;
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
    uint64_t before = (uint64_t)high << 32 | low, msr = rdmsr(MSR_TSC), after = rdtsc();
    cv_trace(SEEN, before < msr && msr < after && after - before < 100000);
}

void main(const void *time_page)
{
    static const char line[] = "one line\ntwo lines\n";
    uint32_t resets = *(const volatile uint32_t *)((const uint8_t *)time_page + CV_TIME_PAGE_RESETS);
    if (CASE >= RESET_CF9 && CASE <= SWITCH_OFF)
        cv_trace(SEEN, resets);
    switch (CASE) {
    case CONSOLE:
        out8(0x3FB, 3); /* 8 bits: a reset leaves 5. */
        for (unsigned at = 0; line[at]; at++)
            out8(0x3F8, line[at]);
        cv_halt();
    case RESET_CF9:
        if (!resets)
            out8(0xCF9, 0x06);
        cv_halt();
    case RESET_64:
        if (!resets)
            out8(0x64, 0xFE);
        cv_halt();
    case SWITCH_OFF:
        __asm__ volatile("outw %w0, %w1" : : "a"(1 << 13 | 5 << 10), "d"(0x604));
        cv_trace(SEEN, 99);
        cv_halt();
    case TSC_WRITES:
        mmio_write64(HPET + HPET_GEN_CONF, HPET_ENABLE_CNF);
        tsc_writes(time_page);
        cv_halt();
    }
    start_ticks();
    while (ticks < TICKS)
        cv_idle();
    cv_trace(WANTED, deadline);
    for (unsigned tick = 0; tick < TICKS; tick++)
        cv_trace(TICK, stamps[tick]);
    cv_halt();
}
