/*
 * The runtime: brings one x86 CPU from a PVH loader's hands to a JavaScript engine and offers it the
 * instructions a language cannot express. It decides nothing: what it finds it reports, what it is
 * told it does. All state that a second CPU would need its own copy of hangs off struct cpu.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "heap.h"
#include "layout.h"

#define PAGE_SIZE 4096ul
#define KIB 1024ul
#define MIB (1024ul * KIB)
#define GIB (1024ul * MIB)

/* ---- Exit codes (exit.c). The same list as EXIT in kernel/hw/exit.ts; a test compares them. */
enum exit_code {
    EXIT_OK = 0x10,
    EXIT_FAILED = 0x11,
    EXIT_UNCAUGHT_ERROR = 0x12,
    EXIT_OUT_OF_MEMORY = 0x13,
    EXIT_STACK_OVERFLOW = 0x14,
    EXIT_BUNDLE_INVALID = 0x15,
    EXIT_BOOT_INFO_INVALID = 0x16,
    EXIT_CPU_EXCEPTION = 0x17,
    EXIT_DOUBLE_FAULT = 0x18,
    EXIT_NMI = 0x19,
    EXIT_MACHINE_CHECK = 0x1A,
    EXIT_RUNTIME_BUG = 0x1B,
};
_Noreturn void exit_machine(uint8_t code);
_Noreturn void exit_machine_silently(uint8_t code);

/* ---- Port I/O. */
static inline uint8_t port_in8(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline uint16_t port_in16(uint16_t port) { uint16_t v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline uint32_t port_in32(uint16_t port) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void port_out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void port_out16(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static inline void port_out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t read_cr2(void) { uint64_t v; __asm__ volatile("mov %%cr2, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr3(void) { uint64_t v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }

/* Masks both 8259As: firmware leaves its own ticking, on vectors that are exceptions' here. A partition has none. */
void legacy_interrupts_mask(void);

/* ---- Partition (partition.c): the same image runs on the machine and in a partition of the hypervisor that runs there. */
void partition_detect(void);
bool partition_is_inside(void);
/* Whether there are devices in memory and at ports, the machine's or virtual ones. */
bool machine_has_devices(void);
/* Address of the page behind the partition's memory that tells the time; 0 outside of a partition. */
uint64_t partition_time_page(void);
/* The number and four arguments: the status; the value as well, whatever it means. Outside of a partition it is an invalid opcode. */
int64_t partition_hypercall(const uint64_t arguments[5], uint64_t *value);
void partition_console(const char *line, size_t length);
/* Tells the health monitor of a failure, and halts the partition. */
_Noreturn void partition_end(uint8_t code);

/* ---- Diagnostics (diagnostic.c): text that must get out when nothing else works. Lines start with "! ". */
void diagnostic_init(void);
void diagnostic_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the run with a line that says why. */
_Noreturn void fatal(uint8_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Boot information (boot-info.c), copied out of the loader's memory. */
enum memory_kind { MEMORY_FREE, MEMORY_RUNTIME, MEMORY_MODULE, MEMORY_RESERVED, MEMORY_ACPI };
struct memory_range { uint64_t address, length; enum memory_kind kind; };
#define MEMORY_RANGES_MAX 64

struct module_file { const char *name; const uint8_t *data; size_t length; };
#define MODULE_FILES_MAX 64

struct boot_info {
    uint64_t entry_tsc;         /* at the runtime's first instructions */
    uint64_t typescript_tsc;    /* just before the bundle's first statement */
    uint64_t rsdp;              /* physical address, 0 if the loader gave none */
    char command_line[2048];
    struct memory_range ranges[MEMORY_RANGES_MAX]; /* sorted, not overlapping */
    unsigned range_count;
    uint64_t archive_address, archive_length;
    struct module_file files[MODULE_FILES_MAX];
    unsigned file_count;
};
void boot_info_read(struct boot_info *info, uint64_t start_info);
/* Finds the files in the boot module (a ustar archive). */
void boot_info_read_archive(struct boot_info *info);
const struct module_file *boot_info_find(const struct boot_info *info, const char *name);
/* Value of "name=" on the command line as a size in bytes (suffix K, M, G), or `otherwise`. */
uint64_t boot_info_size_option(const struct boot_info *info, const char *name, uint64_t otherwise);
/* Takes `length` bytes (whole pages) out of the largest free range below 4 GiB; ends the run if there is none. */
uint64_t boot_info_take(struct boot_info *info, uint64_t length);
uint64_t boot_info_largest_free(const struct boot_info *info);
/* End of the highest range below 4 GiB that is memory: device addresses start above it. */
uint64_t boot_info_low_memory_end(const struct boot_info *info);

/* ---- Paging (paging.c). */
void paging_init(struct boot_info *info);
bool paging_is_mmio(uint64_t address, uint64_t length);
bool paging_is_mapped(const struct memory_range *range);

/* ---- CPU (cpu.c). */
struct taken_interrupt { uint64_t tsc, vector; };

struct descriptor_pointer { uint16_t limit; uint64_t base; } __attribute__((packed));
struct task_state {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* ist[0] is IST1 */
    uint64_t reserved2;
    uint16_t reserved3, io_map_base;
} __attribute__((packed));

#define STACK_EXCEPTION_SIZE (32 * KIB)
#define STACK_MAIN_SIZE (1 * MIB)
enum { IST_EXCEPTION = 1, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_COUNT = IST_MACHINE_CHECK };

/* A stack above a page that is never mapped: running off its end is a fault, not a corruption. */
struct exception_stack { uint8_t guard[PAGE_SIZE]; uint8_t bytes[STACK_EXCEPTION_SIZE]; };

/* One guest CPU's page: its registers that are not in the VMCB, and how it is to be entered. The layout is TypeScript's too. */
struct guest {
    uint64_t rax, rcx, rdx, rbx, unused_rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t dr[4], tsc_aux;
    uint64_t vmcb, host_vmcb;         /* physical addresses */
    uint64_t not_before;              /* TSC of the entry */
    uint64_t entered, left;           /* TSC right before VMRUN, right after #VMEXIT */
    uint64_t timer_address, timer_value; /* stored right before the entry, unless the address is 0 */
    uint64_t taken;                   /* interrupts taken since the entry was asked for; the first one's vector from bit 8 */
    uint64_t keep;                    /* not 0: those taken before are still to be handled, new ones come behind them */
    uint64_t end_address;             /* 0 is stored there before that */
    uint64_t timer_value_if_taken;    /* in place of timer_value, if interrupts wait to be handled */
    uint8_t unused[0x200 - 0x100];
    uint8_t fx[512], host_fx[512];
};
#define GUESTS_MAX 64

struct cpu {
    struct cpu *self;
    uint32_t taken_count, lost_count;
    struct taken_interrupt taken[TAKEN_CAPACITY];
    struct boot_info *boot;
    struct heap *heap;
    size_t heap_limit, heap_used; /* bytes */
    bool heap_reserve_open;   /* a failed allocation lets its Error use what is kept back */
    uint64_t hypercall_value; /* of the last one that TypeScript made */
    void *context;            /* JSContext */
    uint64_t evaluation_end;  /* TSC at which a limited evaluation is stopped, 0 = none */
    uint64_t access_before, access_after; /* TSC around the last port or MMIO access of a shim */
    uint32_t panics;          /* how deep failures are nested */
    uint64_t closed_since;    /* TSC when interrupts were closed the last time */
    uint64_t longest_stretch; /* TSC ticks, since it was asked for */
    uint32_t guest_count;
    struct guest *guests[GUESTS_MAX];
    uint32_t number;
    uint64_t gdt[5];
    struct task_state task_state;
    uint64_t tls[16];         /* musl's thread block: FS points here */
    struct exception_stack ist[IST_COUNT] __attribute__((aligned(4096)));
    uint8_t main_guard[PAGE_SIZE];
    uint8_t main_stack[STACK_MAIN_SIZE];
};
extern struct cpu boot_cpu;
void cpu_init(struct cpu *cpu, struct boot_info *boot);
/* Calls `visit` with each page of the CPU that has to stay unmapped. */
void cpu_for_each_guard(const struct cpu *cpu, void (*visit)(uint64_t page));
static inline struct cpu *cpu_current(void) { struct cpu *cpu; __asm__("movq %%gs:0, %0" : "=r"(cpu)); return cpu; }
/* Around every wait with interrupts open: how long they were closed before. */
static inline void stretch_end(struct cpu *cpu)
{
    uint64_t stretch = read_tsc() - cpu->closed_since;
    if (stretch > cpu->longest_stretch)
        cpu->longest_stretch = stretch;
}
static inline void stretch_begin(struct cpu *cpu) { cpu->closed_since = read_tsc(); }
void interrupts_idle(void);
void interrupts_idle_awake(void);
void interrupts_poll(void);
void interrupts_poll_one(void);
/* Takes a page of free memory as a guest's: its index, or -1 if it is not free memory or there are GUESTS_MAX already. */
int guest_open(struct cpu *cpu, uint64_t address);
/* Runs it until its next #VMEXIT: the exit code. */
uint32_t guest_enter(struct cpu *cpu, unsigned index);
int msr_read(uint32_t index, uint64_t *value);
int msr_write(uint32_t index, uint64_t value);

/* ---- Engine (engine.c) and shims (shims.c). */
_Noreturn void engine_run(struct cpu *cpu);
/* Prints the stack of the JavaScript that runs, if any does. */
void engine_print_stack(struct cpu *cpu);
