/* One CPU: descriptor tables, stacks, exceptions (AMD64 Architecture Programmer's Manual vol. 2, "Exceptions and Interrupts"). */
#include "runtime.h"
#include <string.h>

struct cpu boot_cpu __attribute__((aligned(4096)));

/* What vectors.S and entry.S take for granted. */
_Static_assert(offsetof(struct cpu, taken_count) == CPU_TAKEN_COUNT, "CPU_TAKEN_COUNT");
_Static_assert(offsetof(struct cpu, lost_count) == CPU_LOST_COUNT, "CPU_LOST_COUNT");
_Static_assert(offsetof(struct cpu, taken) == CPU_TAKEN, "CPU_TAKEN");
_Static_assert(offsetof(struct cpu, main_stack) + STACK_MAIN_SIZE == CPU_STACK_TOP, "CPU_STACK_TOP");

#define MSR_FS_BASE 0xC0000100
#define MSR_GS_BASE 0xC0000101

#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_GENERAL_PROTECTION 13
#define VECTOR_MACHINE_CHECK 18

enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_TASK = 0x18 };

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
#define GATE_INTERRUPT 0x8E /* present, ring 0, 64-bit interrupt gate: IF is cleared on entry */

/* As pushed by vectors.S, lowest address first. */
struct exception_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

/* Above each exception stack's first frame lies the CPU it belongs to: found without GS, which may be what broke. */
struct stack_owner { struct cpu *cpu; uint64_t padding; };

extern const uint64_t exception_stubs[32];
extern const uint8_t interrupt_stubs[];
extern const uint8_t msr_read_instruction[], msr_write_instruction[], msr_fault[];
void segments_load(const struct descriptor_pointer *gdt);

static struct gate idt[256] __attribute__((aligned(4096)));

static const struct { const uint8_t *instruction, *resume; } fault_fixups[] = {
    { msr_read_instruction, msr_fault },
    { msr_write_instruction, msr_fault },
};

static void set_gate(unsigned vector, uint64_t handler, unsigned ist)
{
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)handler, .selector = SELECTOR_CODE, .ist = (uint8_t)ist, .type = GATE_INTERRUPT,
        .offset_middle = (uint16_t)(handler >> 16), .offset_high = (uint32_t)(handler >> 32),
    };
}

static unsigned ist_of(unsigned vector)
{
    switch (vector) {
    case VECTOR_DOUBLE_FAULT: return IST_DOUBLE_FAULT;
    case VECTOR_NMI: return IST_NMI;
    case VECTOR_MACHINE_CHECK: return IST_MACHINE_CHECK;
    default: return IST_EXCEPTION;
    }
}

void cpu_init(struct cpu *cpu, struct boot_info *boot)
{
    cpu->self = cpu;
    cpu->boot = boot;

    for (unsigned i = 0; i < IST_COUNT; i++) {
        struct stack_owner *owner = (struct stack_owner *)(cpu->ist[i].bytes + STACK_EXCEPTION_SIZE) - 1;
        owner->cpu = cpu;
        cpu->task_state.ist[i] = (uint64_t)owner;
    }
    cpu->task_state.io_map_base = sizeof cpu->task_state;

    uint64_t base = (uint64_t)&cpu->task_state, limit = sizeof cpu->task_state - 1;
    cpu->gdt[1] = 0x00209A0000000000; /* 64-bit code */
    cpu->gdt[2] = 0x0000920000000000; /* data */
    cpu->gdt[3] = limit | (base & 0xFFFFFF) << 16 | 0x89ull << 40 | (base >> 24 & 0xFF) << 56; /* available 64-bit TSS */
    cpu->gdt[4] = base >> 32;
    segments_load(&(struct descriptor_pointer){ sizeof cpu->gdt - 1, (uint64_t)cpu->gdt });
    __asm__ volatile("ltr %0" : : "r"((uint16_t)SELECTOR_TASK));

    for (unsigned vector = 0; vector < 32; vector++)
        set_gate(vector, exception_stubs[vector], ist_of(vector));
    for (unsigned vector = 32; vector < 256; vector++)
        set_gate(vector, (uint64_t)interrupt_stubs + (vector - 32) * 16, 0);
    struct descriptor_pointer pointer = { sizeof idt - 1, (uint64_t)idt };
    __asm__ volatile("lidt %0" : : "m"(pointer));

    /* Loading a selector clears the base, so the bases come last. musl finds errno through FS:0. */
    cpu->tls[0] = (uint64_t)cpu->tls;
    msr_write(MSR_FS_BASE, (uint64_t)cpu->tls);
    msr_write(MSR_GS_BASE, (uint64_t)cpu);
}

/* Intel 8259A, "Operation Control Word 1": the mask, at the data ports. */
#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA 0xA1

void legacy_interrupts_mask(void)
{
    if (!machine_has_devices())
        return;
    port_out8(PIC_MASTER_DATA, 0xFF);
    port_out8(PIC_SLAVE_DATA, 0xFF);
}

void cpu_for_each_guard(const struct cpu *cpu, void (*visit)(uint64_t page))
{
    for (unsigned i = 0; i < IST_COUNT; i++)
        visit((uint64_t)cpu->ist[i].guard);
    visit((uint64_t)cpu->main_guard);
}

static const char *const exception_names[32] = {
    "#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound range", "#UD invalid opcode",
    "#NM device not available", "#DF double fault", "coprocessor segment", "#TS invalid TSS", "#NP segment not present",
    "#SS stack", "#GP general protection", "#PF page fault", "reserved", "#MF x87", "#AC alignment check",
    "#MC machine check", "#XF SIMD", "#VE", "#CP control protection", [29] = "#VC", [30] = "#SX security",
};

static uint8_t exit_code_of(uint64_t vector)
{
    switch (vector) {
    case VECTOR_DOUBLE_FAULT: return EXIT_DOUBLE_FAULT;
    case VECTOR_NMI: return EXIT_NMI;
    case VECTOR_MACHINE_CHECK: return EXIT_MACHINE_CHECK;
    default: return EXIT_CPU_EXCEPTION;
    }
}

static _Noreturn void report(const struct exception_frame *frame, uint64_t cr0, uint64_t cr4);

/* Reporting needs SSE (the engine's numbers), which may be what was switched off. */
#define CR0_EM (1ul << 2)
#define CR0_TS (1ul << 3)
#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)

/*
 * Entered on the vector's own stack. Returns only for a fault that an instruction is known to be able to raise. Must
 * itself not need SSE, hence the attribute.
 */
__attribute__((target("general-regs-only"))) void exception_entered(struct exception_frame *frame)
{
    for (size_t i = 0; i < sizeof fault_fixups / sizeof *fault_fixups; i++)
        if (frame->vector == VECTOR_GENERAL_PROTECTION && frame->rip == (uint64_t)fault_fixups[i].instruction) {
            frame->rip = (uint64_t)fault_fixups[i].resume;
            return;
        }
    uint64_t cr0, cr4;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 & ~(CR0_EM | CR0_TS)));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT));
    report(frame, cr0, cr4);
}

static _Noreturn void report(const struct exception_frame *frame, uint64_t cr0, uint64_t cr4)
{
    struct cpu *cpu = ((const struct stack_owner *)(frame + 1))->cpu;
    uint64_t cr2 = read_cr2();
    uint8_t code = exit_code_of(frame->vector);
    if (cpu->panics > 1) /* not even one line can be printed */
        exit_machine_silently(code);
    if (cpu->panics++ > 0) /* the report itself failed: keep what is out, and leave */
        fatal(code, "exception %lu again while reporting, rip=%016lx cr2=%016lx", frame->vector, frame->rip, cr2);
    const char *name = exception_names[frame->vector];
    diagnostic_line("exception vector=%lu name=\"%s\" error_code=%016lx cpu=%u", frame->vector, name ? name : "reserved",
                    frame->error_code, cpu->number);
    diagnostic_line("  rip=%016lx cs=%04lx rflags=%016lx rsp=%016lx ss=%04lx", frame->rip, frame->cs, frame->rflags, frame->rsp, frame->ss);
    diagnostic_line("  rax=%016lx rbx=%016lx rcx=%016lx rdx=%016lx", frame->rax, frame->rbx, frame->rcx, frame->rdx);
    diagnostic_line("  rsi=%016lx rdi=%016lx rbp=%016lx r8 =%016lx", frame->rsi, frame->rdi, frame->rbp, frame->r8);
    diagnostic_line("  r9 =%016lx r10=%016lx r11=%016lx r12=%016lx", frame->r9, frame->r10, frame->r11, frame->r12);
    diagnostic_line("  r13=%016lx r14=%016lx r15=%016lx", frame->r13, frame->r14, frame->r15);
    diagnostic_line("  cr0=%016lx cr2=%016lx cr3=%016lx cr4=%016lx", cr0, cr2, read_cr3(), cr4);
    /* GS may be what the exception is about. */
    msr_write(MSR_GS_BASE, (uint64_t)cpu);
    engine_print_stack(cpu);
    exit_machine(code);
}
