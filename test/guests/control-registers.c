/*
 * Reserved bits and combinations that no CPU takes, in CR0, CR3, CR4, CR8, EFER and XCR0. On a bare machine each raises #GP, XSETBV #UD
 * (AMD64 Architecture Programmer's Manual vol. 2, "System Control Registers"); QEMU takes some. The trace tells what each raised: code
 * 64 + n, FFh for nothing; n is the number below, and of 7 the bits of CR4 that were taken. GUEST_WRONG with n << 8 is one that has to work and does not. Native, long mode, with
 * start.S. LETHAL, 1 to 4, chooses one of those that, taken, leave a state no guest can be entered with: PG without LME, PG without PE, CR3, NW
 * without CD.
 */
#include "trap.h"

#ifndef LETHAL
#define LETHAL 0
#endif
#define MSR_EFER 0xC0000080
#define CR0_PE (1ull << 0)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define EFER_LME (1ull << 8)

static unsigned done;

static void tell(unsigned number, uint64_t vector)
{
    cv_trace(64 + number, vector);
    done++;
}

static void expect_taken(unsigned number, uint64_t vector)
{
    if (vector != NO_TRAP)
        cv_trace(GUEST_WRONG, number << 8 | vector);
    tell(number, vector);
}

static uint64_t write_cr0(uint64_t value) { return TRAP("mov %0, %%cr0", : : "r"(value)); }
static uint64_t write_cr3(uint64_t value) { return TRAP("mov %0, %%cr3", : : "r"(value)); }
static uint64_t write_cr4(uint64_t value) { return TRAP("mov %0, %%cr4", : : "r"(value)); }
static uint64_t write_cr8(uint64_t value) { return TRAP("mov %0, %%cr8", : : "r"(value)); }
static uint64_t write_msr(uint32_t index, uint64_t value)
{
    return TRAP("wrmsr", : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

void main(void)
{
    uint64_t cr0, cr4, taken = 0;
    uint32_t low, high;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
    uint64_t efer = (uint64_t)high << 32 | low;

    tell(0, write_cr0(cr0 | 1ull << 32));
    tell(1, write_cr4(cr4 | 1ull << 31));
    tell(2, write_cr4(cr4 | 1ull << 63));
    tell(3, write_cr4(cr4 & ~CR4_PAE));
    tell(4, write_cr8(1ull << 4));
    tell(5, write_msr(MSR_EFER, efer | 1ull << 63));
    tell(6, TRAP("xsetbv", : : "c"(0), "a"(1), "d"(0)));
    /* Each bit of CR4 alone: taken or refused, but never so that the guest can't be entered any more. Not SMEP and SMAP: its pages are a user's. */
    for (unsigned bit = 0; bit < 64; bit++)
        if (bit != 20 && bit != 21 && write_cr4(cr4 | 1ull << bit) == NO_TRAP)
            taken |= 1ull << bit;
    write_cr4(cr4);
    tell(7, taken);
    /* What it may write must still work, the task priority above all: there QEMU itself is at risk. */
    expect_taken(8, write_cr8(15));
    expect_taken(9, write_cr8(0));
    expect_taken(10, write_cr0(cr0));
    expect_taken(11, write_cr4(cr4));
    expect_taken(12, write_msr(MSR_EFER, efer));
    switch (LETHAL) {
    case 1: tell(13, write_msr(MSR_EFER, efer & ~EFER_LME)); break;
    case 2: tell(14, write_cr0((cr0 | CR0_PG) & ~CR0_PE)); break;
    case 3: tell(15, write_cr3(1ull << 63)); break;
    case 4: tell(16, write_cr0((cr0 & ~CR0_CD) | CR0_NW)); break;
    }
    cv_trace(GUEST_DONE, done);
}
