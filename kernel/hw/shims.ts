/**
 * The shims: what the runtime (boot/shims.c) lets TypeScript do to the machine. One C function per line
 * here, same names, same order; test/shims.test.ts compares the two lists.
 *
 * Every shim throws TypeError for an argument of the wrong type and RangeError for a value that it
 * can't take; the message names the shim, the argument, the value and what was expected. Ports,
 * addresses, and register values up to 32 bits are numbers; 64-bit values are bigints from 0 to 2^64 - 1.
 */
export interface Shims {
  /** IN from a port, 0 to FFFFh. A port nobody drives reads all ones. */
  in8(port: number): number;
  in16(port: number): number;
  in32(port: number): number;
  /** OUT to a port. */
  out8(port: number, value: number): void;
  out16(port: number, value: number): void;
  out32(port: number, value: number): void;
  /** REP OUTSB: `length` bytes of `buffer` from `offset` on to one port, in order. */
  outBlock8(port: number, buffer: ArrayBuffer, offset: number, length: number): void;

  /** One load of exactly this width from a device address: below 4 GiB, above RAM, a multiple of the width. */
  mmioRead8(address: number): number;
  mmioRead16(address: number): number;
  mmioRead32(address: number): number;
  mmioRead64(address: number): bigint;
  /** One store of exactly this width. */
  mmioWrite8(address: number, value: number): void;
  mmioWrite16(address: number, value: number): void;
  mmioWrite32(address: number, value: number): void;
  mmioWrite64(address: number, value: bigint): void;
  /**
   * Accesses to one such address as functions: half as dear, because the address is checked once. Int32: in two's complement, -2^31 to
   * 2^31 - 1, which the engine computes with faster than with larger numbers. The writer takes both, -2^31 to 2^32 - 1.
   */
  mmioReaderInt32(address: number): () => number;
  mmioReader64(address: number): () => bigint;
  mmioWriter32(address: number): (value: number) => void;

  /** TSC right after the last port or memory-mapped access (not outBlock8): dates a reading to a few instructions. */
  accessTsc(): bigint;
  /** TSC ticks that this access took. More than usual: something held it up. */
  accessTicks(): number;

  /** The time-stamp counter, in its own ticks. */
  rdtsc(): bigint;
  /** The same, not before earlier instructions are done and not after later ones have begun (LFENCE on both sides). */
  rdtscOrdered(): bigint;
  /** Returns when the TSC has reached a value, at once if it has already: the TSC then. RangeError if that is more than 2^30 ticks ahead. */
  spinUntil(tsc: bigint): bigint;
  /** A model-specific register. RangeError that names it if the CPU raises #GP. */
  rdmsr(index: number): bigint;
  wrmsr(index: number, value: bigint): void;
  /** CPUID: [EAX, EBX, ECX, EDX]. */
  cpuid(leaf: number, subleaf: number): [number, number, number, number];
  /** Control register 0, 2, 3, 4 or 8. A value the CPU refuses is a CPU exception and ends the run. */
  readCr(number: number): bigint;
  writeCr(number: number, value: bigint): void;

  /**
   * Memory at a physical address, as an ArrayBuffer that is that memory. The range must lie in one
   * range of the memory map that is not the runtime's own, and not in page 0.
   */
  physicalView(address: number, length: number): ArrayBuffer;

  /**
   * STI; HLT; CLI: waits for interrupts and returns how many were taken. Interrupts are off at all other
   * times, so JavaScript is never interrupted. 0 is possible (something else ended the HLT).
   */
  idle(): number;
  /**
   * The same by a loop instead of HLT. Under QEMU's -icount a HLT's end is not always exact (boot/vectors.S tells why); this
   * is, and costs the host next to nothing. RangeError inside a partition, whose slot it would use up.
   */
  idleAwake(): number;
  /** STI; NOP; CLI: takes what is pending, without waiting. */
  poll(): number;
  /** The same for one interrupt: what else is pending stays so. Returns 0 or 1. */
  pollOne(): number;
  /** Vector of the interrupt taken at `index` (0 = first) by the last idle or poll. */
  interruptVector(index: number): number;
  /** TSC of that interrupt, read by the first instructions of its stub. */
  interruptTsc(index: number): bigint;
  /** Interrupts that found the list of taken ones full (64), since boot. Always 0, unless something is badly wrong. */
  interruptsLost(): number;
  /** TSC ticks for which interrupts were closed at the most, from one idle, poll or runGuest to the next, since this was last asked. */
  longestStretch(): bigint;

  /**
   * Takes a page of free memory as a guest CPU's: its registers and how it is to be entered, laid out as kernel/vm/guest-area.ts
   * says. Returns the number by which runGuest knows it.
   */
  openGuest(address: number): number;
  /**
   * VMRUN: loads the guest's registers, waits for the TSC value that its page names, enters, and returns the exit code (32 bits, signed)
   * after the next #VMEXIT. Interrupts that come while it waits or that end the guest's run are taken, as by idle.
   * SVM has to be enabled and the VMCB that the page names filled in.
   */
  runGuest(guest: number): number;

  /** What the loader was given as command line. */
  commandLine(): string;
  /** TSC at the runtime's first instructions: "boot" in "since boot". */
  entryTsc(): bigint;
  /** TSC just before the bundle's first statement. */
  typescriptTsc(): bigint;
  /** Physical address of the ACPI root pointer, as the loader told it; 0 if it did not. */
  rsdpAddress(): number;
  /** The machine's memory below and above 4 GiB, sorted by address. */
  memoryMap(): MemoryRange[];
  /** A copy of a file of the boot module; undefined if it has none of that name. */
  moduleFile(name: string): ArrayBuffer | undefined;
  /** Evaluates a program of the boot module and returns what it exports: for what only some runs need. RangeError if there is none. */
  loadProgram(name: string): unknown;

  /**
   * A hypercall (VMMCALL; kernel/partition/abi.ts): its status, 0 or one of ERROR. Arguments are integers up to 2^53 or bigints up to
   * 2^64; negative ones are two's complement; those left out are 0. RangeError outside of a partition.
   */
  hypercall(number: number, a?: number | bigint, b?: number | bigint, c?: number | bigint, d?: number | bigint): number;
  /** The value that the last hypercall returned. */
  hypercallValue(): bigint;
  /** The same as a number, which is cheaper to go on with: for values up to 2^53. */
  hypercallNumber(): number;

  /** Bytes in use on this CPU's JavaScript heap. */
  heapUsed(): number;
  /** Bytes it may use at most. Beyond, allocations throw InternalError "out of memory". */
  heapLimit(): number;
  /** Frees garbage that is in cycles; everything else is freed when its last reference goes. */
  collectGarbage(): void;
  /** UTF-8 of a string, as the engine has it: kernel/trace/utf8.ts does the same in a hundred times as many instructions. */
  encodeUtf8(text: string): ArrayBuffer;
  /** Evaluates a script with the global scope. Stopped with an InternalError after `limit` TSC ticks. */
  evaluate(source: string, limit: bigint): unknown;

  /** Ends the run. The code (0 to 7Fh, see exit.ts) reaches whoever started the machine. */
  exit(code: number): never;
}

/** A range of physical addresses, in bytes. */
export interface MemoryRange {
  readonly address: number;
  readonly length: number;
  /** free: RAM nobody uses. runtime: image, page tables, heap. module: the boot module. reserved, acpi: as the firmware says. */
  readonly kind: 'free' | 'runtime' | 'module' | 'reserved' | 'acpi';
}
