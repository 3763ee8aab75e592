/*
 * Writes to an address that is not its memory: the machine's local APIC, unless ADDRESS names another (the hypervisor's image at
 * 1 MiB, another partition's memory). Comes back with a trace record if that is survived. Native, flat, protected mode.
 */
#define CV_32
#include "chronovisor.h"

#ifndef ADDRESS
#define ADDRESS 0xFEE00000
#endif

    .code32
    .text
    .global _start
_start:
    movl $0xDEADBEEF, ADDRESS
    cv_trace 1, $1
    cv_halt
    .section .note.GNU-stack, "", @progbits
