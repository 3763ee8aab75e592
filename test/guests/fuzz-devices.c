/*
 * ACCESSES random ones, of SEED, to every port and page that a virtual PC has devices at, aligned and not, of all widths, to registers of its
 * TSC and of its local APIC too; interrupts are on in between, their vectors whatever the accesses have made them. What resets the machine is
 * among them: the count, which no reset touches, goes on. What switches it off is not.
 * Trace records: GUEST_DONE with the count. Native, long mode, with start.S; from 1 MiB of memory on.
 */
#include "pc.h"
#include "trap.h"

#ifndef ACCESSES
#define ACCESSES 100000
#endif
#ifndef SEED
#define SEED 1
#endif

/* Neither of the program nor of the tables: a warm reset leaves it. */
#define STATE ((volatile uint64_t *)0x90000)

#define PM_CONTROL 0x604
#define SLP_EN (1u << 13)

static const struct { uint16_t first, count; } ports[] = {
    { 0x20, 2 }, { 0x40, 4 }, { 0x61, 1 }, { 0x64, 1 }, { 0x70, 2 }, { 0xA0, 2 }, { 0x3F8, 8 }, { 0x4D0, 2 }, { 0x600, 12 }, { 0xCF9, 1 },
};
#define RANGES (sizeof ports / sizeof ports[0])
static const uint64_t pages[] = { 0xFEC00000, 0xFED00000, 0xFEE00000 };
static const uint32_t msrs[] = { 0x10, 0x1B, 0x3B, 0x6E0 };

/* Of one stretch with interrupts on: of more the program would never get on. */
#define INTERRUPTS_MAX 4
static volatile unsigned interrupts;

void cv_interrupt(unsigned line, uint64_t tsc)
{
    (void)line, (void)tsc;
    if (++interrupts > INTERRUPTS_MAX) {
        out8(PIC_MASTER + 1, 0xFF);
        mmio_write32(0xFEE000F0, 0xFF);
    }
    mmio_write32(0xFEE000B0, 0);
    out8(PIC_SLAVE, OCW2_EOI);
    out8(PIC_MASTER, OCW2_EOI);
}

static void port(uint64_t random)
{
    unsigned range = random % RANGES, width = random >> 8 & 3;
    uint16_t at = ports[range].first + (random >> 16) % ports[range].count;
    uint32_t value = random >> 32;
    if (at >= PM_CONTROL - 3 && at < PM_CONTROL + 2)
        value &= ~(SLP_EN | SLP_EN >> 8 | SLP_EN << 8 | SLP_EN << 16);
    if (random & 1 << 10)
        switch (width) {
        case 0: __asm__ volatile("inb %1, %b0" : "=a"(value) : "d"(at)); break;
        case 1: __asm__ volatile("inw %1, %w0" : "=a"(value) : "d"(at)); break;
        default: __asm__ volatile("inl %1, %0" : "=a"(value) : "d"(at));
        }
    else
        switch (width) {
        case 0: __asm__ volatile("outb %b0, %1" : : "a"(value), "d"(at)); break;
        case 1: __asm__ volatile("outw %w0, %1" : : "a"(value), "d"(at)); break;
        default: __asm__ volatile("outl %0, %1" : : "a"(value), "d"(at));
        }
}

/* Three of four where registers are. */
static void page(uint64_t random, uint64_t value)
{
    uint64_t offset = random >> 16 & 0xFFF;
    if (random & 3)
        offset &= 0x3F0 | (random & 0xF0000000 ? 0 : 0xF);
    uint64_t at = pages[(random >> 8) % 3] + offset;
    switch (random >> 12 & 15) {
    case 0: __asm__ volatile("movb (%1), %b0" : "=a"(value) : "r"(at)); break;
    case 1: __asm__ volatile("movw (%1), %w0" : "=a"(value) : "r"(at)); break;
    case 2: case 3: __asm__ volatile("movl (%1), %k0" : "=a"(value) : "r"(at)); break;
    case 4: __asm__ volatile("movq (%1), %0" : "=a"(value) : "r"(at)); break;
    case 5: __asm__ volatile("movb %b0, (%1)" : : "a"(value), "r"(at) : "memory"); break;
    case 6: __asm__ volatile("movw %w0, (%1)" : : "a"(value), "r"(at) : "memory"); break;
    case 7: case 8: case 9: __asm__ volatile("movl %k0, (%1)" : : "a"(value), "r"(at) : "memory"); break;
    case 10: __asm__ volatile("movq %0, (%1)" : : "a"(value), "r"(at) : "memory"); break;
    case 11: __asm__ volatile("orl %k0, (%1)" : : "a"(value), "r"(at) : "memory", "cc"); break;
    case 12: __asm__ volatile("xchgl %k0, (%1)" : "+a"(value) : "r"(at) : "memory"); break;
    case 13: __asm__ volatile("lock btsq %0, (%1)" : : "r"(value & 63), "r"(at) : "memory", "cc"); break;
    case 14: {
        uint64_t count = random >> 40 & 7;
        __asm__ volatile("rep stosl" : "+D"(at), "+c"(count) : "a"(value) : "memory");
        break;
    }
    case 15: {
        uint64_t count = random >> 40 & 7, to = 0x91000;
        __asm__ volatile("rep movsb" : "+S"(at), "+D"(to), "+c"(count) : : "memory");
        break;
    }
    }
}

static void msr(uint64_t random, uint64_t value)
{
    uint32_t index = msrs[random & 3];
    if (random & 4)
        TRAP("rdmsr", : : "c"(index) : "rax", "rdx");
    else
        TRAP("wrmsr", : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32) & (random & 8 ? 0xFFFF : 0)));
}

void main(void)
{
    if (!STATE[0])
        STATE[0] = SEED;
    uint64_t state = STATE[0];
    while (STATE[1] < ACCESSES) {
        uint64_t random = next_random(&state), value = next_random(&state);
        STATE[0] = state;
        STATE[1]++;
        if (random >> 60 < 7)
            port(random);
        else if (random >> 60 < 15)
            page(random, value);
        else
            msr(random, value);
        /* A timer that it has just set may well be due. */
        interrupts = 0;
        if ((value & 31) == 0)
            __asm__ volatile("sti; nop; nop; cli");
    }
    cv_trace(GUEST_DONE, STATE[1]);
    cv_halt();
}
