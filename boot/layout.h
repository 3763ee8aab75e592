/* What assembly knows of struct cpu (runtime.h); cpu.c asserts each line. */
#define CPU_TAKEN_COUNT 8
#define CPU_LOST_COUNT 12
#define CPU_TAKEN 16
#define TAKEN_CAPACITY 64
#define CPU_STACK_TOP 0x126000
