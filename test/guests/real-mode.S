/* Real mode: says so by a hypercall with 32-bit registers, and halts. Native, flat, real mode. */
#include "chronovisor.h"

    .code16
    .text
    .global _start
_start:
    movl $1, %edi
    movw %cs, %si
    movzwl %si, %esi
    xorl %ebx, %ebx
    cv_hypercall CV_HYPERCALL_TRACE
    movl $CV_SELF, %edi
    cv_hypercall CV_HYPERCALL_HALT
    .section .note.GNU-stack, "", @progbits
