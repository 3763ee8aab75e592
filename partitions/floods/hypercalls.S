/*
 * As many hypercalls as fit into its slots.
 *
 * Program: native, flat, long mode. Memory: 64 KiB. Plan: any slot. Ports, health rules: none.
 */
#include "chronovisor.h"

    .text
    .global _start
_start:
1:  cv_hypercall CV_HYPERCALL_VERSION
    jmp 1b
    .section .note.GNU-stack, "", @progbits
