/* HLT with interrupts off: nothing could ever wake it. Native, flat, any mode. */
    .text
    .global _start
_start:
    cli
    hlt
1:  jmp 1b
    .section .note.GNU-stack, "", @progbits
