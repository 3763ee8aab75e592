/*
 * Start of a C program in long mode, entered flat or as a plain ELF file: stack, segments, an IDT with the 32 exceptions and the 32
 * lines of virtual interrupts; then main(time page, bytes of memory), with interrupts off. When main returns, the partition halts.
 * The program may define
 *   void cv_interrupt(unsigned line, uint64_t tsc): interrupts are off; tsc was read by the stub's first instructions;
 *   void cv_exception(struct cv_frame *frame): it may change the frame and return. Without it the health monitor hears of
 *     the vector and the partition halts.
 * C for it is compiled with -mno-red-zone -mgeneral-regs-only.
 */
#include "chronovisor.h"

#define STACK_SIZE 8192
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
/* Present, ring 0, 64-bit interrupt gate (AMD64 Architecture Programmer's Manual vol. 2, "Gate Descriptors"). */
#define GATE_INTERRUPT 0x8E00
#define STUB_SIZE 16
#define IDT_ENTRIES (CV_DEFAULT_VECTOR_BASE + CV_LINE_COUNT)

    .section .text.start, "ax", @progbits
    .global _start
_start:
    cld
    lgdt gdt_pointer
    movl $SELECTOR_DATA, %eax
    movl %eax, %ss
    movl $stack_end, %esp
    pushq $SELECTOR_CODE
    pushq $1f
    lretq
1:  movl %eax, %ds
    movl %eax, %es
    movq %rdi, %r12
    movq %rsi, %r13

    movl $exception_stubs, %eax
    movl $idt, %edi
    movl $32, %ecx
    call fill_gates
    movl $interrupt_stubs, %eax
    movl $(idt + CV_DEFAULT_VECTOR_BASE * 16), %edi
    movl $CV_LINE_COUNT, %ecx
    call fill_gates
    lidt idt_pointer

    movq %r12, %rdi
    movq %r13, %rsi
    call main
1:  cv_halt
    jmp 1b

/* ECX gates at EDI for stubs from EAX on. */
fill_gates:
    movl %eax, %edx
    andl $0xFFFF, %edx
    orl $(SELECTOR_CODE << 16), %edx
    movl %edx, (%rdi)
    movl %eax, %edx
    andl $0xFFFF0000, %edx
    orl $GATE_INTERRUPT, %edx
    movl %edx, 4(%rdi)
    movq $0, 8(%rdi)
    addl $STUB_SIZE, %eax
    addl $16, %edi
    loop fill_gates
    ret

    .macro push_all
    pushq %rcx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm
    .macro pop_all
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rcx
    popq %rdx
    popq %rax
    addq $16, %rsp
    .endm

exception_common:
    pushq %rax
    pushq %rdx
    push_all
    cld
    movq %rsp, %rdi
    movq %rsp, %rbx
    andq $-16, %rsp
    call cv_exception
    movq %rbx, %rsp
    pop_all
    iretq

interrupt_common:
    pushq %rax
    pushq %rdx
    rdtsc
    push_all
    cld
    shlq $32, %rdx
    leaq (%rax, %rdx), %rsi
    movq %rsp, %rbx
    movl 15 * 8(%rsp), %edi
    andq $-16, %rsp
    call cv_interrupt
    movq %rbx, %rsp
    pop_all
    iretq

    .weak cv_exception
cv_exception:
    movq 15 * 8(%rdi), %rdi
    cv_hypercall CV_HYPERCALL_RAISE_HEALTH
1:  cv_halt
    jmp 1b

    .weak cv_interrupt
cv_interrupt:
    ret

/* One layout for all: a number, above it an error code, 0 where the CPU pushes none. */
    .balign STUB_SIZE
exception_stubs:
    .set vector, 0
    .rept 32
    .balign STUB_SIZE
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    pushq $0
    .endif
    pushq $vector
    jmp exception_common
    .set vector, vector + 1
    .endr
    .balign STUB_SIZE
interrupt_stubs:
    .set line, 0
    .rept CV_LINE_COUNT
    .balign STUB_SIZE
    pushq $0
    pushq $line
    jmp interrupt_common
    .set line, line + 1
    .endr

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00209A0000000000 /* 64-bit code */
    .quad 0x0000920000000000 /* data */
gdt_pointer:
    .word . - gdt - 1
    .quad gdt
idt_pointer:
    .word IDT_ENTRIES * 16 - 1
    .quad idt

    .bss
    .balign 16
idt: .skip IDT_ENTRIES * 16
    .skip STACK_SIZE
stack_end:
    .section .note.GNU-stack, "", @progbits
