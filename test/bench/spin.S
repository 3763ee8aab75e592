/*
 * Runs for ever with interrupts off, as partitions/spin does, in a long loop: QEMU looks at its instruction count once in each turn, so
 * this costs the host a tenth. Native, flat, long mode.
 */
    .text
    .global _start
_start:
    cli
1:
    .rept 256
    nop
    .endr
    jmp 1b
    .section .note.GNU-stack, "", @progbits
