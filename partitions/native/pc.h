/*
 * A PC's devices, for native programs in partitions that have them (`platform: pc()` in the system file): ports, the 8259As, the HPET as the
 * ACPI tables tell of it. 64-bit code, memory one to one, start.S: its stubs for vectors 40h to 5Fh are where IRQ 0 to 15 are put.
 */
#pragma once
#include "chronovisor.h"

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Intel 8259A, "Programming the 8259A". */
#define PIC_MASTER 0x20
#define PIC_SLAVE 0xA0
#define ICW1_INIT_IC4 0x11
#define ICW4_8086 0x01
#define OCW2_EOI 0x20

/* IRQ n comes as vector CV_DEFAULT_VECTOR_BASE + n. @param enabled a bit per IRQ; the cascade is enabled besides */
static inline void pic_start(uint16_t enabled)
{
    out8(PIC_MASTER, ICW1_INIT_IC4);
    out8(PIC_MASTER + 1, CV_DEFAULT_VECTOR_BASE);
    out8(PIC_MASTER + 1, 1 << 2); /* the slave is on IR2 */
    out8(PIC_MASTER + 1, ICW4_8086);
    out8(PIC_SLAVE, ICW1_INIT_IC4);
    out8(PIC_SLAVE + 1, CV_DEFAULT_VECTOR_BASE + 8);
    out8(PIC_SLAVE + 1, 2);
    out8(PIC_SLAVE + 1, ICW4_8086);
    out8(PIC_MASTER + 1, (uint8_t)~(enabled | 1 << 2));
    out8(PIC_SLAVE + 1, (uint8_t)~(enabled >> 8));
}

/* End of interrupt of an IRQ of the master. */
static inline void pic_end(void) { out8(PIC_MASTER, OCW2_EOI); }

/* IA-PC HPET 1.0a, "Register Model". */
#define HPET_GCAP_ID 0x000
#define HPET_GEN_CONF 0x010
#define HPET_MAIN_CNT 0x0F0
#define HPET_TIMER_CONF(n) (0x100 + 0x20 * (n))
#define HPET_TIMER_COMPARATOR(n) (0x108 + 0x20 * (n))
#define HPET_ENABLE_CNF (1 << 0)
#define HPET_LEG_RT_CNF (1 << 1)
#define HPET_INT_ENB_CNF (1 << 2)
#define HPET_TYPE_CNF (1 << 3)
#define HPET_VAL_SET_CNF (1 << 6)

static inline uint64_t mmio_read64(uint64_t address)
{
    uint64_t value;
    __asm__ volatile("movq (%1), %0" : "=r"(value) : "r"(address));
    return value;
}
static inline uint32_t mmio_read32(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address));
    return value;
}
static inline void mmio_write64(uint64_t address, uint64_t value) { __asm__ volatile("movq %0, (%1)" : : "r"(value), "r"(address) : "memory"); }
static inline void mmio_write32(uint64_t address, uint32_t value) { __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory"); }

/*
 * ACPI 6.5, "Root System Description Pointer (RSDP)", "Extended System Description Table (XSDT)": the address of a table, 0 if there is none.
 * @param signature its four characters, the first in the lowest byte
 */
static inline uint64_t acpi_table(uint32_t signature)
{
    const uint64_t rsd_ptr = 0x2052545020445352; /* "RSD PTR " */
    for (uint64_t at = 0xE0000; at < 0x100000; at += 16) {
        if (*(const volatile uint64_t *)at != rsd_ptr)
            continue;
        uint64_t xsdt = *(const volatile uint64_t *)(at + 24);
        uint32_t length = *(const volatile uint32_t *)(xsdt + 4);
        for (uint64_t entry = xsdt + 36; entry < xsdt + length; entry += 8) {
            /* Entries are 4-byte aligned. */
            uint64_t table = *(const volatile uint32_t *)entry | (uint64_t)*(const volatile uint32_t *)(entry + 4) << 32;
            if (*(const volatile uint32_t *)table == signature)
                return table;
        }
    }
    return 0;
}

/* IA-PC HPET 1.0a, "The ACPI 2.0 HPET Description Table": where the first one is, 0 if there is none. */
static inline uint64_t hpet_base(void)
{
    uint64_t table = acpi_table(0x54455048); /* "HPET" */
    return table ? *(const volatile uint32_t *)(table + 44) | (uint64_t)*(const volatile uint32_t *)(table + 48) << 32 : 0;
}
