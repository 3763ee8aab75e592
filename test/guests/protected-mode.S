/*
 * Protected mode, paging off: says so on the console, tells what it was given (trace code 1 the time page's address, 2 its memory), reads
 * the HW clock by a hypercall whose value comes in two halves (3 the low one, 4 the high one), and halts. Native, flat, protected mode.
 */
#define CV_32
#include "chronovisor.h"

    .code32
    .text
    .global _start
_start:
    movl %edi, %ebp
    cv_trace 2, %esi
    cv_trace 1, %ebp
    movl $text, %edi
    movl $(text_end - text), %esi
    cv_hypercall CV_HYPERCALL_CONSOLE
    movl $CV_CLOCK_HW, %edi
    cv_hypercall CV_HYPERCALL_GET_TIME
    movl %ecx, %ebp
    cv_trace 3, %edx
    cv_trace 4, %ebp
    cv_halt

text:
    .ascii "hello from protected mode\n"
text_end:
    .section .note.GNU-stack, "", @progbits
