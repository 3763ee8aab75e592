/*
 * Runs for ever with interrupts off: the worst neighbour that does nothing forbidden. Nothing but the hypervisor's timer ends its slot.
 *
 * Program: native, flat, long mode (its code is the same in all of them). Memory: 64 KiB. Plan: any slot. Ports, health rules: none.
 */
    .text
    .global _start
_start:
    cli
1:  jmp 1b
    .section .note.GNU-stack, "", @progbits
