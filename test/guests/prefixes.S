/*
 * CPUID and a hypercall behind as many prefixes as an instruction may have, over and over: finding their lengths takes longest. Native,
 * flat, long mode.
 */
#include "chronovisor.h"

#define PREFIX_CS 0x2E

    .text
    .global _start
_start:
1:  xorl %eax, %eax
    .fill 13, 1, PREFIX_CS
    cpuid
    movl $CV_HYPERCALL_VERSION, %eax
    .fill 12, 1, PREFIX_CS
    vmmcall
    jmp 1b
    .section .note.GNU-stack, "", @progbits
