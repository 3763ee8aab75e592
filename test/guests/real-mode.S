/*
 * Real mode: says so on the console and by a trace record with its CS, by hypercalls with 32-bit registers, and halts. Native, flat, real
 * mode.
 */
#include "chronovisor.h"

    .code16
    .text
    .global _start
_start:
    movl $text, %edi
    movl $(text_end - text), %esi
    xorl %ebx, %ebx
    cv_hypercall CV_HYPERCALL_CONSOLE
    movl $1, %edi
    movw %cs, %si
    movzwl %si, %esi
    cv_hypercall CV_HYPERCALL_TRACE
    movl $CV_SELF, %edi
    cv_hypercall CV_HYPERCALL_HALT

text:
    .ascii "hello from real mode\n"
text_end:
    .section .note.GNU-stack, "", @progbits
