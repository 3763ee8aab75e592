/*
 * Final page tables: one to one, but with the access rights the image deserves. Text is read-only,
 * data is not executable, page 0 and the guard pages are absent, device addresses are uncached. Right behind a
 * partition's RAM is the time page, which is read-only; it may have no devices.
 */
#include "runtime.h"

/* AMD64 Architecture Programmer's Manual vol. 2, "Page-Translation-Table Entry Fields". */
#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_PS (1ull << 7)
#define PTE_NX (1ull << 63)
/* PCD and PWT select entry 3 of the PAT, which is UC after reset. */
#define PTE_UNCACHED (PTE_PCD | PTE_PWT)
#define TABLE_ADDRESS(entry) ((uint64_t *)((entry) & 0x000FFFFFFFFFF000ull))

#define LARGE_PAGE (2 * MIB)
#define VGA_START 0xA0000ul
#define VGA_END 0xC0000ul

extern const uint8_t image_start[], image_text_end[], image_rodata_end[], image_end[];

static uint64_t pml4[512] __attribute__((aligned(4096)));
/* Tables for 4 GiB of large pages and for the image's small ones; memory above 4 GiB takes its tables from free memory. */
static uint64_t pool[24][512] __attribute__((aligned(4096)));
static unsigned pool_used;
static struct boot_info *boot;
static uint64_t mmio_start;

static uint64_t *table_new(void)
{
    if (pool_used < sizeof pool / sizeof *pool)
        return pool[pool_used++];
    uint64_t *table = (uint64_t *)boot_info_take(boot, PAGE_SIZE);
    for (unsigned i = 0; i < 512; i++)
        table[i] = 0;
    return table;
}

static uint64_t *table_below(uint64_t *entry)
{
    if (!(*entry & PTE_P))
        *entry = (uint64_t)table_new() | PTE_P | PTE_RW;
    return TABLE_ADDRESS(*entry);
}

static uint64_t *large_entry(uint64_t address)
{
    uint64_t *pdpt = table_below(&pml4[address >> 39 & 511]);
    uint64_t *pd = table_below(&pdpt[address >> 30 & 511]);
    return &pd[address >> 21 & 511];
}

static uint64_t *small_entry(uint64_t address)
{
    uint64_t *entry = large_entry(address);
    if (*entry & PTE_PS) { /* split: the rights carry over */
        uint64_t rights = *entry & ~0x000FFFFFFFFFE000ull & ~PTE_PS, base = *entry & 0x000FFFFFFFE00000ull;
        uint64_t *table = table_new();
        for (unsigned i = 0; i < 512; i++)
            table[i] = (base + i * PAGE_SIZE) | rights;
        *entry = (uint64_t)table | PTE_P | PTE_RW;
    }
    return &TABLE_ADDRESS(*entry)[address >> 12 & 511];
}

static void map_large(uint64_t start, uint64_t end, uint64_t rights)
{
    for (uint64_t address = start & ~(LARGE_PAGE - 1); address < end; address += LARGE_PAGE)
        *large_entry(address) = address | PTE_P | PTE_PS | PTE_NX | rights;
}

static void set_rights(uint64_t start, uint64_t end, uint64_t rights)
{
    for (uint64_t address = start; address < end; address += PAGE_SIZE)
        *small_entry(address) = address | PTE_P | rights;
}

static void unmap(uint64_t page) { *small_entry(page) = 0; }

/* Large pages end beyond the partition's memory: what is behind the time page is not mapped either. */
static void map_time_page(void)
{
    uint64_t page = partition_time_page();
    if (page >= mmio_start)
        fatal(EXIT_BOOT_INFO_INVALID, "memory map: the time page at %#lx is not in it", page);
    set_rights(page, page + PAGE_SIZE, PTE_NX);
    for (uint64_t address = page + PAGE_SIZE; address & (LARGE_PAGE - 1); address += PAGE_SIZE)
        unmap(address);
}

void paging_init(struct boot_info *info)
{
    boot = info;
    uint64_t low_end = boot_info_low_memory_end(info);
    mmio_start = (low_end + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);

    map_large(0, mmio_start, PTE_RW);
    if (machine_has_devices())
        map_large(mmio_start, 4 * GIB, PTE_RW | PTE_UNCACHED);
    for (unsigned i = 0; i < info->range_count; i++)
        if (info->ranges[i].address >= 4 * GIB && paging_is_mapped(&info->ranges[i]))
            map_large(info->ranges[i].address, info->ranges[i].address + info->ranges[i].length, PTE_RW);

    if (partition_is_inside())
        map_time_page();
    else
        set_rights(VGA_START, VGA_END, PTE_RW | PTE_NX | PTE_UNCACHED);
    set_rights((uint64_t)image_start, (uint64_t)image_text_end, 0);
    set_rights((uint64_t)image_text_end, (uint64_t)image_rodata_end, PTE_NX);
    set_rights((uint64_t)image_rodata_end, (uint64_t)image_end, PTE_RW | PTE_NX);
    unmap(0);
    cpu_for_each_guard(&boot_cpu, unmap);

    __asm__ volatile("mov %0, %%cr3" : : "r"(pml4) : "memory");
}

/* Reserved ranges up there are the platform's holes, not memory. */
bool paging_is_mapped(const struct memory_range *range)
{
    return range->address < 4 * GIB || range->kind != MEMORY_RESERVED;
}

bool paging_is_mmio(uint64_t address, uint64_t length)
{
    if (!machine_has_devices())
        return false;
    if (!partition_is_inside() && address >= VGA_START && address + length <= VGA_END)
        return true;
    return address >= mmio_start && address + length <= 4 * GIB;
}
