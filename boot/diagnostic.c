/*
 * The runtime's own lines: to COM1 as plain text and, where a debug console answers, as text frames
 * of the trace channel (kernel/trace/wire.ts), so that they stand in the log in their place.
 * Every wait is bounded: a UART that is absent or stuck costs its limit once. A partition's go to the hypervisor's console.
 */
#include "runtime.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* 16550 at COM1; register offsets and bits by National Semiconductor's PC16550D data sheet. */
#define COM1 0x3F8
#define THR 0
#define IER 1
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define LSR_THRE 0x20
/* Polls of one port access each; at 115,200 baud a byte takes 87 us, less than 1,000 real port accesses. */
#define UART_POLLS 20000

/* QEMU's isa-debugcon and Bochs: the port reads back as its own number. */
#define DEBUG_CONSOLE_PORT 0xE9

static bool uart_is_stuck, debug_console_answers;

void diagnostic_init(void)
{
    if (partition_is_inside())
        return;
    port_out8(COM1 + IER, 0);
    port_out8(COM1 + LCR, LCR_DLAB | LCR_8N1);
    port_out8(COM1 + THR, 1); /* divisor 1: 115,200 baud */
    port_out8(COM1 + IER, 0);
    port_out8(COM1 + LCR, LCR_8N1);
    port_out8(COM1 + FCR, 0x07); /* FIFOs on and cleared */
    port_out8(COM1 + MCR, 0x0B); /* DTR, RTS, OUT2 */
    debug_console_answers = port_in8(DEBUG_CONSOLE_PORT) == DEBUG_CONSOLE_PORT;
}

static void uart_write(char c)
{
    if (uart_is_stuck)
        return;
    for (unsigned i = 0; i < UART_POLLS; i++)
        if (port_in8(COM1 + LSR) & LSR_THRE) {
            port_out8(COM1 + THR, (uint8_t)c);
            return;
        }
    uart_is_stuck = true;
}

static void write_line(const char *line, size_t length)
{
    if (partition_is_inside()) {
        partition_console(line, length);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\n')
            uart_write('\r');
        uart_write(line[i]);
    }
    if (debug_console_answers) {
        uint8_t header[8] = { 'D', 0, (uint8_t)length, (uint8_t)(length >> 8) };
        for (size_t i = 0; i < sizeof header; i++)
            port_out8(DEBUG_CONSOLE_PORT, header[i]);
        for (size_t i = 0; i < length; i++)
            port_out8(DEBUG_CONSOLE_PORT, (uint8_t)line[i]);
    }
}

static void format_line(const char *format, va_list arguments)
{
    char line[1024] = "! ";
    int length = vsnprintf(line + 2, sizeof line - 3, format, arguments);
    if (length < 0)
        length = 0;
    size_t end = 2 + (size_t)length;
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    line[end] = '\n';
    write_line(line, end + 1);
}

void diagnostic_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_line(format, arguments);
    va_end(arguments);
}

_Noreturn void fatal(uint8_t code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_line(format, arguments);
    va_end(arguments);
    exit_machine(code);
}
