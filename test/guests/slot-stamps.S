/*
 * Sees slots from within: reads the TSC over and over and notes each stretch in which it did not run, as the last reading before and
 * the first one after, which is the slot's start to 10 instructions. After GAPS of them it tells them by trace records, code 16
 * the end of a stretch and code 17 the start of the next, both on the HW clock (ns since the epoch) by the time page's base, and halts.
 *
 * Native, flat, long mode. Memory: from 64 KiB + 16 bytes a gap. Defines: GAPS; THRESHOLD in TSC ticks, below which nothing is a gap.
 */
#include "chronovisor.h"

#ifndef GAPS
#define GAPS 2400
#endif
#ifndef THRESHOLD
#define THRESHOLD 500
#endif

    .text
    .global _start
_start:
    cli
    leaq stack_end(%rip), %rsp
    movq %rdi, %r15
    leaq gaps(%rip), %rbx
    leaq gaps + GAPS * 16(%rip), %r14
    rdtsc
    shlq $32, %rdx
    leaq (%rax, %rdx), %rcx
1:  rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, %rdx
    subq %rcx, %rdx
    cmpq $THRESHOLD, %rdx
    ja 2f
    movq %rax, %rcx
    jmp 1b
2:  movq %rcx, (%rbx)
    movq %rax, 8(%rbx)
    addq $16, %rbx
    movq %rax, %rcx
    cmpq %r14, %rbx
    jb 1b

    leaq gaps(%rip), %rbx
3:  movq (%rbx), %rax
    call to_nanos
    movl $16, %edi
    cv_hypercall CV_HYPERCALL_TRACE
    movq 8(%rbx), %rax
    call to_nanos
    movl $17, %edi
    cv_hypercall CV_HYPERCALL_TRACE
    addq $16, %rbx
    cmpq %r14, %rbx
    jb 3b
    cv_halt

/* RSI = HW clock at TSC RAX, before or after the page's base; keeps RBX, R14, R15. */
to_nanos:
4:  movl CV_TIME_PAGE_SEQUENCE(%r15), %r8d
    testl $1, %r8d
    jnz 4b
    movq %rax, %rsi
    subq CV_TIME_PAGE_TSC_BASE(%r15), %rsi
    movl CV_TIME_PAGE_HW_MULTIPLIER(%r15), %edx
    movl CV_TIME_PAGE_SHIFT(%r15), %ecx
    movq CV_TIME_PAGE_HW_BASE(%r15), %r9
    cmpl %r8d, CV_TIME_PAGE_SEQUENCE(%r15)
    jne 4b
    movq %rax, %r10
    movq %rsi, %rax
    imulq %rdx                /* signed: earlier slots lie before the base */
    shrdq %cl, %rdx, %rax
    leaq (%rax, %r9), %rsi
    movq %r10, %rax
    ret

    .bss
    .balign 16
gaps: .skip GAPS * 16
    .skip 64
stack_end:
    .section .note.GNU-stack, "", @progbits
