/* Writes to the time page, which is read-only. Native, flat, protected mode: EDI is its address. */
#define CV_32
#include "chronovisor.h"

    .code32
    .text
    .global _start
_start:
    movl $0xDEADBEEF, CV_TIME_PAGE_HW_BASE(%edi)
    cv_trace 1, $1
    cv_halt
    .section .note.GNU-stack, "", @progbits
