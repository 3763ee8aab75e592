/*
 * The world switch (AMD64 Architecture Programmer's Manual vol. 2, "Secure Virtual Machine"). It moves registers, waits for an instant
 * and enters; what an exit means is TypeScript's affair. Offsets into struct guest are asserted in guest.c.
 */
#include "layout.h"

#define MSR_TSC_AUX 0xC0000103

    .text
/*
 * void guest_run(struct guest *guest): enters at GUEST_NOT_BEFORE (or at once, if that has passed) and returns after the #VMEXIT.
 *
 * Interrupts are open while it waits: one that comes then is stamped by its stub and stays for TypeScript, and the entry is not
 * moved by more than the stub's instructions. If a timer is armed at the entry, it is so with another value then. If none is, that one may have
 * been what was to end the guest's run, so the guest is not entered, and it looks like an INTR. What comes after the CLGI ends the guest's run
 * with INTR at once. No STI right before VMRUN: QEMU leaks its shadow into the guest.
 */
    .global guest_run
guest_run:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi

    /* RDTSCP reads it: shared between host and guest, and not in the VMCB. The host has no use for it. */
    movl $MSR_TSC_AUX, %ecx
    movl GUEST_TSC_AUX(%rdi), %eax
    movl GUEST_TSC_AUX+4(%rdi), %edx
    wrmsr
    movq GUEST_DR0(%rdi), %rax
    movq %rax, %dr0
    movq GUEST_DR1(%rdi), %rax
    movq %rax, %dr1
    movq GUEST_DR2(%rdi), %rax
    movq %rax, %dr2
    movq GUEST_DR3(%rdi), %rax
    movq %rax, %dr3
    fxsave64 GUEST_HOST_FX(%rdi)
    fxrstor64 GUEST_FX(%rdi)
    movq GUEST_HOST_VMCB(%rdi), %rax
    vmsave %rax
    movq GUEST_VMCB(%rdi), %rcx
    movq GUEST_RAX(%rdi), %rax
    movq %rax, VMCB_RAX(%rcx)

    movq GUEST_RBX(%rdi), %rbx
    movq GUEST_RBP(%rdi), %rbp
    movq GUEST_RSI(%rdi), %rsi
    movq GUEST_R10(%rdi), %r10
    movq GUEST_R11(%rdi), %r11
    movq GUEST_R12(%rdi), %r12
    movq GUEST_R13(%rdi), %r13
    movq GUEST_R14(%rdi), %r14
    movq GUEST_R15(%rdi), %r15

    movq GUEST_NOT_BEFORE(%rdi), %r8
    movl %gs:CPU_TAKEN_COUNT, %r9d
    sti
1:  rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    cmpq %r8, %rax
    jb 1b
    clgi
    movq %rax, GUEST_ENTERED(%rdi)
    /* A timer that is to run from the entry on: one store starts it, and another before it ends what it interrupted for the last time. */
    movq GUEST_TIMER_ADDRESS(%rdi), %rcx
    testq %rcx, %rcx
    jz 4f
    movq GUEST_END_ADDRESS(%rdi), %rax
    movl $0, (%rax)
    movl GUEST_TIMER_VALUE(%rdi), %eax
    cmpl $0, %gs:CPU_TAKEN_COUNT
    cmovnel GUEST_TIMER_VALUE_IF_TAKEN(%rdi), %eax
    movl %eax, (%rcx)
    movq $0, GUEST_TIMER_ADDRESS(%rdi)
2:  movq GUEST_VMCB(%rdi), %rax
    vmload %rax
    movq GUEST_RCX(%rdi), %rcx
    movq GUEST_RDX(%rdi), %rdx
    movq GUEST_R8(%rdi), %r8
    movq GUEST_R9(%rdi), %r9
    movq GUEST_RDI(%rdi), %rdi
    vmrun %rax

    /* #VMEXIT: RAX and RSP are the host's, all other registers the guest's; GIF is 0. */
    xchgq %rdi, (%rsp)
    movq %rdx, GUEST_RDX(%rdi)
    rdtsc
    movl %eax, GUEST_LEFT(%rdi)
    movl %edx, GUEST_LEFT+4(%rdi)
    movq %rcx, GUEST_RCX(%rdi)
    movq GUEST_VMCB(%rdi), %rax
    movq VMCB_RAX(%rax), %rcx
    movq %rcx, GUEST_RAX(%rdi)
    /* A flush that was asked for is done; the CPU leaves the request standing. */
    movb $0, VMCB_TLB_CONTROL(%rax)
    vmsave %rax
    movq GUEST_HOST_VMCB(%rdi), %rax
    vmload %rax
    popq %rax
    movq %rax, GUEST_RDI(%rdi)
    movq %rbx, GUEST_RBX(%rdi)
    movq %rbp, GUEST_RBP(%rdi)
    movq %rsi, GUEST_RSI(%rdi)
    movq %r8, GUEST_R8(%rdi)
    movq %r9, GUEST_R9(%rdi)
    movq %r10, GUEST_R10(%rdi)
    movq %r11, GUEST_R11(%rdi)
    movq %r12, GUEST_R12(%rdi)
    movq %r13, GUEST_R13(%rdi)
    movq %r14, GUEST_R14(%rdi)
    movq %r15, GUEST_R15(%rdi)
3:  fxsave64 GUEST_FX(%rdi)
    fxrstor64 GUEST_HOST_FX(%rdi)
    movq %dr0, %rax
    movq %rax, GUEST_DR0(%rdi)
    movq %dr1, %rax
    movq %rax, GUEST_DR1(%rdi)
    movq %dr2, %rax
    movq %rax, GUEST_DR2(%rdi)
    movq %dr3, %rax
    movq %rax, GUEST_DR3(%rdi)

    /* The interrupt that ended the guest's run, if one did, is taken here, with IF still set. */
    stgi
    nop
    cli
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    /* Nothing to arm: enter, unless something was taken. The guest's registers are all as they were. */
4:  cmpl %gs:CPU_TAKEN_COUNT, %r9d
    je 2b
    movq GUEST_ENTERED(%rdi), %rax
    movq %rax, GUEST_LEFT(%rdi)
    movq GUEST_VMCB(%rdi), %rax
    movq $VMEXIT_INTR, VMCB_EXITCODE(%rax)
    popq %rax
    jmp 3b

    .section .note.GNU-stack, "", @progbits
