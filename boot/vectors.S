/*
 * What the CPU enters: 32 exception stubs, 224 interrupt stubs; and the instruction sequences that
 * have to be atomic or have to survive a fault. Offsets into struct cpu are asserted in cpu.c.
 */

#include "layout.h"

    .text

/* Exceptions: one layout for all of them (struct exception_frame), error code 0 where the CPU pushes none. */
    .macro exception vector
    .balign 16
exception_\vector:
    .if (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
    .else
    pushq $0
    .endif
    pushq $\vector
    jmp exception_common
    .endm

    .altmacro
    .macro exception_n n
    exception %\n
    .endm
    .set i, 0
    .rept 32
    exception_n i
    .set i, i + 1
    .endr

exception_common:
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    /* Re-align for the C ABI; the frame's address is kept in RBX, which C preserves. */
    movq %rsp, %rbx
    andq $-16, %rsp
    call exception_entered
    movq %rbx, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    iretq

/* Interrupts: stamp first, note {TSC, vector} in the CPU's list, return. TypeScript decides the rest. */
    .macro interrupt vector
    .balign 16
    pushq $\vector
    jmp interrupt_common
    .endm
    .macro interrupt_n n
    interrupt %\n
    .endm
    .balign 16
    .global interrupt_stubs
interrupt_stubs:
    .set i, 32
    .rept 224
    interrupt_n i
    .set i, i + 1
    .endr

    .balign 16
interrupt_common:
    pushq %rax
    pushq %rdx
    rdtsc
    pushq %rcx
    shlq $32, %rdx
    orq %rdx, %rax
    movl %gs:CPU_TAKEN_COUNT, %ecx
    cmpl $TAKEN_CAPACITY, %ecx
    jae 1f
    movl %ecx, %edx
    shll $4, %edx
    movq %rax, %gs:CPU_TAKEN(%rdx)
    movq 24(%rsp), %rax
    movq %rax, %gs:CPU_TAKEN+8(%rdx)
    incl %ecx
    movl %ecx, %gs:CPU_TAKEN_COUNT
    jmp 2f
1:  incl %gs:CPU_LOST_COUNT
2:  /* Out of the sled of interrupts_idle_awake: what it waited for has come. */
    movq 32(%rsp), %rax
    cmpq $idle_sled, %rax
    jb 3f
    cmpq $idle_sled_end, %rax
    jae 3f
    movq $idle_sled_end, 32(%rsp)
3:  /* Into interrupts_poll_one: what it looked for has come, and nothing else is to come. */
    cmpq $poll_one_end, %rax
    jne 4f
    andl $~RFLAGS_IF, 48(%rsp)
4:  popq %rcx
    popq %rdx
    popq %rax
    addq $8, %rsp
    iretq

/* The STI shadow makes "sti; hlt" atomic: an interrupt that is pending already ends the HLT. */
    .global interrupts_idle
interrupts_idle:
    sti
    hlt
    cli
    ret

/*
 * The same without HLT, for QEMU's -icount: there a halted CPU's clock is advanced by another thread, and if that one
 * looks at the moment of halting, it misses what the CPU executed since it was last asked the time. The interrupt is
 * then late by so many nanoseconds, once in some thousand HLTs, more on a loaded host. A CPU that runs has no such
 * moment. NOPs because QEMU translates a block of them to almost nothing: a second of virtual time costs some
 * milliseconds. 510 and the jump fill one translation block.
 */
    .global interrupts_idle_awake
interrupts_idle_awake:
    sti
idle_sled:
    .rept 510
    nop
    .endr
    jmp idle_sled
idle_sled_end:
    cli
    ret

/* The NOP is the one instruction after STI at whose end pending interrupts are taken. */
    .global interrupts_poll
interrupts_poll:
    sti
    nop
    cli
    ret

/* The same for one interrupt: the stub returns to the CLI with interrupts off already. */
    .global interrupts_poll_one
interrupts_poll_one:
    sti
    nop
poll_one_end:
    cli
    ret

/* int msr_read(uint32_t index, uint64_t *value); int msr_write(uint32_t index, uint64_t value):
   0, or -1 if the CPU raised #GP at the marked instruction (fault_fixups in cpu.c). */
    .global msr_read, msr_read_instruction, msr_fault
msr_read:
    movl %edi, %ecx
msr_read_instruction:
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, (%rsi)
    xorl %eax, %eax
    ret
msr_fault:
    movl $-1, %eax
    ret

    .global msr_write, msr_write_instruction
msr_write:
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
msr_write_instruction:
    wrmsr
    xorl %eax, %eax
    ret

/* void segments_load(const struct descriptor_pointer *gdt): GDT with code 0x08, data 0x10. */
    .global segments_load
segments_load:
    lgdt (%rdi)
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    popq %rax
    pushq $0x08
    pushq %rax
    lretq

    .section .rodata
    .balign 8
    .macro exception_address n
    .quad exception_\n
    .endm
    .macro exception_address_n n
    exception_address %\n
    .endm
    .global exception_stubs
exception_stubs:
    .set i, 0
    .rept 32
    exception_address_n i
    .set i, i + 1
    .endr

    .section .note.GNU-stack, "", @progbits
