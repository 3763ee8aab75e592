/*
 * Does with a virtual PC's devices what no program does, one of these by CASE, and says what it read by trace records of code GUEST_READ, then
 * GUEST_DONE with how much it did. Native, long mode, with start.S.
 */
#include "pc.h"
#include "trap.h"

#define GUEST_READ 4

#ifndef CASE
#define CASE WIDTHS
#endif
#define WIDTHS 1
#define HPET_VALUES 2
#define HPET_STORM 3
#define VALUES 4
#define LEVEL_STORM 5
#define CROSSING 6
#define LACKING 7

#define IOAPIC 0xFEC00000ull
#define HPET 0xFED00000ull
#define LAPIC 0xFEE00000ull
#define LAPIC_EOI (LAPIC + 0xB0)
#define LAPIC_SVR (LAPIC + 0xF0)
#define LAPIC_ESR (LAPIC + 0x280)
#define LAPIC_ICR (LAPIC + 0x300)
#define LAPIC_LVT_TIMER (LAPIC + 0x320)
#define LAPIC_INITIAL_COUNT (LAPIC + 0x380)

static volatile uint64_t interrupts;

static void ioapic_write(uint32_t index, uint32_t value)
{
    mmio_write32(IOAPIC, index);
    mmio_write32(IOAPIC + 0x10, value);
}

/* It ends the interrupt at its controller, and leaves the device as it is. */
void cv_interrupt(unsigned line, uint64_t tsc)
{
    (void)tsc;
    interrupts++;
    if (line >= 16)
        mmio_write32(LAPIC_EOI, 0);
    else
        pic_end();
}

static uint64_t read(uint64_t at, unsigned width)
{
    uint64_t value = 0;
    switch (width) {
    case 1: __asm__ volatile("movb (%1), %b0" : "+a"(value) : "r"(at)); break;
    case 2: __asm__ volatile("movw (%1), %w0" : "+a"(value) : "r"(at)); break;
    case 4: __asm__ volatile("movl (%1), %k0" : "=a"(value) : "r"(at)); break;
    default: __asm__ volatile("movq (%1), %0" : "=a"(value) : "r"(at));
    }
    return value;
}

static void write(uint64_t at, unsigned width, uint64_t value)
{
    switch (width) {
    case 1: __asm__ volatile("movb %b0, (%1)" : : "a"(value), "r"(at) : "memory"); break;
    case 2: __asm__ volatile("movw %w0, (%1)" : : "a"(value), "r"(at) : "memory"); break;
    case 4: __asm__ volatile("movl %k0, (%1)" : : "a"(value), "r"(at) : "memory"); break;
    default: __asm__ volatile("movq %0, (%1)" : : "a"(value), "r"(at) : "memory");
    }
}

static void port(uint16_t at, unsigned width)
{
    uint32_t value;
    switch (width) {
    case 1: __asm__ volatile("inb %w1, %b0; outb %b0, %w1" : "=&a"(value) : "d"(at)); break;
    case 2: __asm__ volatile("inw %w1, %w0; outw %w0, %w1" : "=&a"(value) : "d"(at)); break;
    default: __asm__ volatile("inl %w1, %0; outl %0, %w1" : "=&a"(value) : "d"(at));
    }
}

/* Every register, read and written back by each width, at its address and one beyond it. */
static uint64_t widths(void)
{
    static const struct { uint64_t base; unsigned length; } pages[] = { { IOAPIC, 0x40 }, { HPET, 0x160 }, { LAPIC, 0x400 } };
    static const struct { uint16_t first, count; } ports[] = {
        { 0x20, 2 }, { 0x40, 4 }, { 0x61, 1 }, { 0x70, 2 }, { 0xA0, 2 }, { 0x3F8, 8 }, { 0x4D0, 2 }, { 0x600, 12 },
    };
    uint64_t done = 0;
    for (unsigned width = 1; width <= 8; width *= 2) {
        for (unsigned page = 0; page < sizeof pages / sizeof pages[0]; page++)
            for (unsigned offset = 0; offset < pages[page].length; offset += 16)
                for (unsigned beyond = 0; beyond < 2; beyond++, done++) {
                    uint64_t at = pages[page].base + offset + beyond;
                    write(at, width, read(at, width));
                }
        for (unsigned range = 0; width < 8 && range < sizeof ports / sizeof ports[0]; range++)
            for (unsigned offset = 0; offset < ports[range].count; offset++, done++)
                port(ports[range].first + offset, width);
    }
    return done;
}

/* Route 31: what TIMER0_INT_ROUTE_CAP says is not there; its comparator in the past, a period of 0, the main counter set while it runs. */
static uint64_t hpet_values(void)
{
    mmio_write64(HPET + HPET_GEN_CONF, HPET_ENABLE_CNF);
    mmio_write64(HPET + HPET_TIMER_CONF(0), HPET_INT_ENB_CNF | 31 << 9);
    cv_trace(GUEST_READ, mmio_read64(HPET + HPET_TIMER_CONF(0)) >> 9 & 31);
    mmio_write64(HPET + HPET_TIMER_COMPARATOR(0), 1);
    mmio_write64(HPET + HPET_MAIN_CNT, 12345);
    mmio_write64(HPET + HPET_TIMER_CONF(1), HPET_INT_ENB_CNF | HPET_TYPE_CNF | HPET_VAL_SET_CNF);
    mmio_write64(HPET + HPET_TIMER_COMPARATOR(1), 0);
    mmio_write64(HPET + HPET_TIMER_CONF(40), ~0ull);
    return mmio_read64(HPET + HPET_MAIN_CNT) > 12345;
}

/* Interrupts as often as a clock of 62.5 MHz ticks, by the 8259As: it does nothing else any more. */
static uint64_t hpet_storm(void)
{
    pic_start(1 << 0);
    mmio_write64(HPET + HPET_TIMER_CONF(0), HPET_INT_ENB_CNF | HPET_TYPE_CNF | HPET_VAL_SET_CNF);
    mmio_write64(HPET + HPET_TIMER_COMPARATOR(0), 1);
    mmio_write64(HPET + HPET_GEN_CONF, HPET_ENABLE_CNF | HPET_LEG_RT_CNF);
    while (interrupts < 100)
        cv_idle();
    return interrupts;
}

static void cmos(uint8_t index, uint8_t value)
{
    out8(0x70, index);
    out8(0x71, value);
}

static uint64_t values(void)
{
    /* Month 13, a 32nd, the 61st minute, in an RTC that runs. */
    cmos(8, 0x13), cmos(7, 0x32), cmos(2, 0x61);
    out8(0x70, 8);
    cv_trace(GUEST_READ, in8(0x71));
    /* Vectors under 16: each is an error, of which ESR tells. */
    mmio_write32(LAPIC_ICR, 5 | 1 << 18);
    mmio_write32(LAPIC_LVT_TIMER, 7);
    mmio_write32(LAPIC_INITIAL_COUNT, 1);
    mmio_write32(LAPIC_ESR, 0);
    cv_trace(GUEST_READ, mmio_read32(LAPIC_ESR));
    ioapic_write(0x10 + 2 * 4, 3);
    /* Each control word of the 8254 there is, and a count of which only half comes. */
    for (unsigned word = 0; word < 256; word++) {
        out8(0x43, word);
        out8(0x40 + (word >> 6 & 1), word);
    }
    return 1;
}

/* A timer of the HPET on I/O APIC input 20 holds its line: nobody ever clears its status. */
static uint64_t level_storm(void)
{
    mmio_write32(LAPIC_SVR, 0x1FF);
    ioapic_write(0x10 + 2 * 20 + 1, 0);
    ioapic_write(0x10 + 2 * 20, (CV_DEFAULT_VECTOR_BASE + 16) | 1 << 15);
    mmio_write64(HPET + HPET_TIMER_CONF(2), HPET_INT_ENB_CNF | 1 << 1 | 20 << 9);
    mmio_write64(HPET + HPET_TIMER_COMPARATOR(2), 10);
    mmio_write64(HPET + HPET_GEN_CONF, HPET_ENABLE_CNF);
    while (interrupts < 100)
        cv_idle();
    return interrupts;
}

/* An operand that begins in the page before the local APIC's and ends in it; then an instruction whose own bytes are in two pages. */
static uint64_t crossing(void)
{
    write(LAPIC - 2, 4, 0);
    cv_trace(GUEST_READ, read(LAPIC - 2, 4));
    static const uint8_t load[] = { 0x8B, 0x07, 0xC3 }; /* mov eax, [rdi]; ret */
    for (unsigned before = 1; before < sizeof load; before++) {
        volatile uint8_t *code = (volatile uint8_t *)(uintptr_t)(0x91000 - before);
        for (unsigned at = 0; at < sizeof load; at++)
            code[at] = load[at];
        uint64_t value;
        __asm__ volatile("call *%1" : "=&a"(value) : "r"(code), "D"(HPET + 4) : "memory");
        cv_trace(GUEST_READ, (uint32_t)value);
    }
    return 2;
}

/* FXSAVE to the local APIC. */
static uint64_t lacking(void)
{
    __asm__ volatile("fxsave (%0)" : : "r"(LAPIC) : "memory");
    return 0;
}

void main(void)
{
    static uint64_t (*const cases[])(void) = {
        [WIDTHS] = widths, [HPET_VALUES] = hpet_values, [HPET_STORM] = hpet_storm, [VALUES] = values,
        [LEVEL_STORM] = level_storm, [CROSSING] = crossing, [LACKING] = lacking,
    };
    cv_trace(GUEST_DONE, cases[CASE]());
    /* Its interrupts go on. */
    for (;;)
        cv_idle();
}
