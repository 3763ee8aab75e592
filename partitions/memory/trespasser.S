/*
 * Reads and then writes memory that is not its own: guest-physical addresses right behind its time page, where on the machine somebody
 * else's memory may be. Trace codes: 1 before the read, 2 after it, with what was read; 3 after the write. Memory is separate if
 * none of the latter two is ever seen, or what was read is nobody's.
 *
 * Program: native, flat, protected mode: paging is off, so that every address goes to the hypervisor's tables. Memory: 64 KiB. Plan: any
 * slot. Ports: none. Health: memory-violation, for instance halt.
 */
#define CV_32
#include "chronovisor.h"

    .code32
    .text
    .global _start
_start:
    leal CV_TIME_PAGE_LENGTH(%edi), %ebp
    cv_trace 1, %ebp
    movl (%ebp), %ecx
    cv_trace 2, %ecx
    movl $0xDEADBEEF, (%ebp)
    cv_trace 3, %ebp
    cv_halt
    .section .note.GNU-stack, "", @progbits
