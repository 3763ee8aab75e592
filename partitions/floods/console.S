/*
 * As much console output as fits into its slots: the longest text that a call takes, over and over, whatever the status.
 *
 * Program: native, flat, long mode. Memory: 64 KiB. Plan: any slot. Ports, health rules: none.
 */
#include "chronovisor.h"

    .text
    .global _start
_start:
1:  leaq text(%rip), %rdi
    movl $CV_CONSOLE_MAX, %esi
    cv_hypercall CV_HYPERCALL_CONSOLE
    jmp 1b

text:
    .fill CV_CONSOLE_MAX - 1, 1, 'x'
    .byte '\n'
    .section .note.GNU-stack, "", @progbits
