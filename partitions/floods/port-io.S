/*
 * Writes to an I/O port that it was not given and reads it back, as often as fits into its slots.
 *
 * Program: native, flat, long mode; define PORT for another one than 80h. Memory: 64 KiB. Plan: any slot. Ports: none; granted to it,
 * and traced, it floods the trace instead. Health: port-misuse must not halt it: ignore or log.
 */
#ifndef PORT
#define PORT 0x80
#endif

    .text
    .global _start
_start:
    movw $PORT, %dx
1:  outb %al, %dx
    inb %dx, %al
    jmp 1b
    .section .note.GNU-stack, "", @progbits
