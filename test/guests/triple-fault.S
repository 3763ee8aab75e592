/* An exception without an IDT: the CPU shuts down. Native, flat, any mode. */
    .text
    .global _start
_start:
    ud2
    .section .note.GNU-stack, "", @progbits
