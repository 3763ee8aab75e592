/** Every shim with good arguments and bad ones. */
import type { Shims } from '../../kernel/hw/shims.ts';
import { createCases } from './support.ts';

const HPET = 0xfed0_0000;
const HPET_MAIN_CNT = HPET + 0xf0;
const RESET_VECTOR = 0xffff_fff0;
const VGA_MEMORY = 0xb_8000;
const VM_HSAVE_PA = 0xc001_0117;
const IA32_PAT = 0x277;

export function main(shims: Shims): void {
  const cases = createCases(shims);
  const { check, throws } = cases;
  // What TypeScript would refuse to compile is exactly what has to be tried.
  const anything = shims as unknown as Record<string, (...values: unknown[]) => unknown>;

  // ---- ports
  check('in8 of a port nobody drives reads all ones', shims.in8(0x2ff) === 0xff, shims.in8(0x2ff));
  check('in16 has its width', shims.in16(0x2f8) === 0xffff, shims.in16(0x2f8));
  check('in32 has its width and is not negative', shims.in32(0x2f0) === 0xffff_ffff, shims.in32(0x2f0));
  // Port 80h remembers nothing; the PIC's mask does.
  shims.out8(0x21, 0xa5);
  check('out8 writes what in8 reads', shims.in8(0x21) === 0xa5, shims.in8(0x21));
  // PCI configuration address register (PCI Local Bus 3.0, "CONFIG_ADDRESS"): takes 32-bit accesses only.
  shims.out32(0xcf8, 0x8000_0000);
  check('out32 writes what in32 reads', shims.in32(0xcf8) === 0x8000_0000, shims.in32(0xcf8));
  // VGA CRT controller: index in the low byte, data in the high one. Register 0Fh is the cursor's place.
  shims.out16(0x3d4, 0x5a0f);
  shims.out8(0x3d4, 0x0f);
  check('out16 writes two ports at once', shims.in8(0x3d5) === 0x5a, shims.in8(0x3d5));
  check('in16 reads half of a 32-bit register', shims.in16(0xcfc) === (shims.in32(0xcfc) & 0xffff), shims.in16(0xcfc));
  const block = new Uint8Array([0x10, 0x5a, 0x33]);
  shims.outBlock8(0x21, block.buffer, 1, 1);
  check('outBlock8 writes from its offset', shims.in8(0x21) === 0x5a, shims.in8(0x21));
  shims.outBlock8(0x21, block.buffer, 0, 3);
  check('outBlock8 writes in order: the last byte stays', shims.in8(0x21) === 0x33, shims.in8(0x21));
  shims.outBlock8(0x21, block.buffer, 3, 0);
  check('outBlock8 of length 0 writes nothing', shims.in8(0x21) === 0x33, shims.in8(0x21));
  throws('in8 refuses a port above FFFFh', () => shims.in8(0x1_0000), 'RangeError', 'in8', 'port', '0x10000', '0xffff');
  throws('in8 refuses a negative port', () => shims.in8(-1), 'RangeError', 'in8', 'port', '-1');
  throws('in8 refuses half a port', () => shims.in8(0.5), 'RangeError', 'in8', '0.5');
  throws('in8 refuses NaN', () => shims.in8(NaN), 'RangeError', 'in8', 'nan');
  throws('out8 refuses a division by zero', () => shims.out8(1 / 0, 1), 'RangeError', 'out8', 'port', 'inf');
  throws('out8 refuses minus infinity', () => shims.out8(-1 / 0, 1), 'RangeError', 'out8', 'port', '-inf');
  throws('out8 refuses a value of nine bits', () => shims.out8(0x80, 0x100), 'RangeError', 'out8', 'value', '0x100');
  throws('out16 refuses a value of 17 bits', () => shims.out16(0x80, 0x1_0000), 'RangeError', 'out16', 'value');
  throws('out32 refuses a negative value', () => shims.out32(0x80, -1), 'RangeError', 'out32', 'value', '-1');
  throws('out32 refuses a value of 33 bits', () => shims.out32(0x80, 2 ** 32), 'RangeError', 'out32', 'value', '0x100000000');
  throws('in8 refuses a string', () => anything['in8']!('60h'), 'TypeError', 'in8', 'port', 'a string', 'a number');
  throws('in8 refuses a bigint', () => anything['in8']!(0x60n), 'TypeError', 'in8', 'a bigint');
  throws('in8 refuses no argument', () => anything['in8']!(), 'TypeError', 'in8', 'undefined');
  throws(
    'outBlock8 refuses a typed array',
    () => anything['outBlock8']!(0x80, block, 0, 1),
    'TypeError',
    'outBlock8',
    'buffer',
    'ArrayBuffer',
  );
  throws(
    'outBlock8 refuses an offset beyond the end',
    () => shims.outBlock8(0x80, block.buffer, 4, 0),
    'RangeError',
    'outBlock8',
    'offset',
  );
  throws('outBlock8 refuses a length beyond the end', () => shims.outBlock8(0x80, block.buffer, 2, 2), 'RangeError', 'outBlock8', 'length');

  // ---- memory-mapped registers
  check('mmioRead32 reads the HPET period', shims.mmioRead32(HPET + 4) === 10_000_000, shims.mmioRead32(HPET + 4));
  check('mmioRead64 reads both halves', shims.mmioRead64(HPET) >> 32n === 10_000_000n, shims.mmioRead64(HPET));
  shims.mmioWrite32(HPET_MAIN_CNT, 0x1234_5678);
  check('mmioWrite32 writes what mmioRead32 reads', shims.mmioRead32(HPET_MAIN_CNT) === 0x1234_5678, shims.mmioRead32(HPET_MAIN_CNT));
  shims.mmioWrite64(HPET_MAIN_CNT, 0xfedc_ba98_7654_3210n);
  check('mmioWrite64 writes 64 bits', shims.mmioRead64(HPET_MAIN_CNT) === 0xfedc_ba98_7654_3210n, shims.mmioRead64(HPET_MAIN_CNT));
  // The firmware's ROM, where the CPU starts: the same bytes in every width.
  const count = shims.mmioReaderInt32(HPET_MAIN_CNT);
  const write = shims.mmioWriter32(HPET_MAIN_CNT);
  for (const [value, seen] of [
    [5, 5],
    [0x8000_0001, -0x7fff_ffff],
    [-2, -2],
    [-0.5 - 1.5, -2],
    [-(2 ** 31), -(2 ** 31)],
    [2 ** 32 - 1, -1],
  ] as const) {
    write(value);
    check(`mmioWriter32 writes ${value}, which mmioReaderInt32 reads`, count() === seen, count());
    check('mmioRead32 reads it without sign', shims.mmioRead32(HPET_MAIN_CNT) === seen >>> 0, shims.mmioRead32(HPET_MAIN_CNT));
  }
  shims.mmioWrite64(HPET_MAIN_CNT, 0xfedc_ba98_7654_3210n);
  const count64 = shims.mmioReader64(HPET_MAIN_CNT);
  check('mmioReader64 reads 64 bits', count64() === 0xfedc_ba98_7654_3210n, count64());
  const asked = shims.rdtsc();
  count();
  check('accessTsc dates them', shims.accessTsc() > asked && shims.accessTsc() < shims.rdtsc(), shims.accessTsc() - asked);
  for (const value of [-(2 ** 31) - 1, 2 ** 32, 0.5, -0.5, NaN])
    throws(`mmioWriter32 refuses ${value}`, () => write(value), 'RangeError', 'mmioWriter32', 'value');
  throws('mmioWriter32 refuses nothing', () => (write as () => void)(), 'TypeError', 'mmioWriter32', 'value', 'undefined');
  throws(
    'mmioReaderInt32 refuses an unaligned address',
    () => shims.mmioReaderInt32(HPET + 2),
    'RangeError',
    'mmioReaderInt32',
    'multiple',
  );
  throws('mmioReader64 refuses RAM', () => shims.mmioReader64(0x10_0000), 'RangeError', 'mmioReader64', 'device range');
  throws('mmioWriter32 refuses RAM', () => shims.mmioWriter32(0x10_0000), 'RangeError', 'mmioWriter32', 'device range');

  const bytes = [0, 1, 2, 3].map((offset) => shims.mmioRead8(RESET_VECTOR + offset));
  check('mmioRead8 reads the reset vector, a far jump', bytes[0] === 0xea, bytes);
  check('mmioRead16 has its width', shims.mmioRead16(RESET_VECTOR) === bytes[0]! + bytes[1]! * 0x100, shims.mmioRead16(RESET_VECTOR));
  const word = bytes[0]! + bytes[1]! * 0x100 + bytes[2]! * 0x1_0000 + bytes[3]! * 0x100_0000;
  check('mmioRead32 has its width', shims.mmioRead32(RESET_VECTOR) === word, shims.mmioRead32(RESET_VECTOR));
  check('mmioRead64 has its width', (shims.mmioRead64(RESET_VECTOR) & 0xffff_ffffn) === BigInt(word), shims.mmioRead64(RESET_VECTOR));
  // VGA text memory takes every width.
  shims.mmioWrite32(VGA_MEMORY, 0x1122_3344);
  shims.mmioWrite8(VGA_MEMORY + 1, 0xa5);
  check(
    'mmioWrite8 writes one byte and leaves its neighbours',
    shims.mmioRead32(VGA_MEMORY) === 0x1122_a544,
    shims.mmioRead32(VGA_MEMORY).toString(16),
  );
  shims.mmioWrite16(VGA_MEMORY + 2, 0x5a96);
  check('mmioWrite16 writes two', shims.mmioRead32(VGA_MEMORY) === 0x5a96_a544, shims.mmioRead32(VGA_MEMORY).toString(16));
  throws(
    'mmioRead32 refuses an unaligned address',
    () => shims.mmioRead32(HPET + 2),
    'RangeError',
    'mmioRead32',
    '0xfed00002',
    'multiple of 4',
  );
  throws(
    'mmioRead64 refuses an address that is aligned to 4 only',
    () => shims.mmioRead64(HPET + 4),
    'RangeError',
    'mmioRead64',
    'multiple of 8',
  );
  throws('mmioRead16 refuses an odd address', () => shims.mmioRead16(VGA_MEMORY + 1), 'RangeError', 'mmioRead16', 'multiple of 2');
  throws('mmioRead32 refuses RAM', () => shims.mmioRead32(0x10_0000), 'RangeError', 'mmioRead32', '0x100000', 'device range');
  throws('mmioRead32 refuses page 0', () => shims.mmioRead32(0), 'RangeError', 'mmioRead32', '0x0');
  throws('mmioRead32 refuses what lies above 4 GiB', () => shims.mmioRead32(2 ** 40), 'RangeError', 'mmioRead32', '0x10000000000');
  throws('mmioRead32 refuses what is no address at all', () => shims.mmioRead32(2 ** 60), 'RangeError', 'mmioRead32', 'address');
  throws(
    'mmioRead64 refuses an access across the end of the address space',
    () => shims.mmioRead64(2 ** 32 - 4),
    'RangeError',
    'mmioRead64',
  );
  throws('mmioWrite8 refuses nine bits', () => shims.mmioWrite8(VGA_MEMORY, 256), 'RangeError', 'mmioWrite8', 'value');
  throws('mmioWrite32 refuses a bigint', () => anything['mmioWrite32']!(HPET, 1n), 'TypeError', 'mmioWrite32', 'value', 'a bigint');
  throws(
    'mmioWrite64 refuses a number',
    () => anything['mmioWrite64']!(HPET, 1),
    'TypeError',
    'mmioWrite64',
    'value',
    'a number',
    'a bigint',
  );
  throws(
    'mmioWrite64 refuses 65 bits',
    () => shims.mmioWrite64(HPET_MAIN_CNT, 1n << 64n),
    'RangeError',
    'mmioWrite64',
    '18446744073709551616',
  );
  throws('mmioWrite64 refuses a negative value', () => shims.mmioWrite64(HPET_MAIN_CNT, -1n), 'RangeError', 'mmioWrite64', '-1');

  // ---- time stamps
  const first = shims.rdtsc();
  const ordered = shims.rdtscOrdered();
  const end = shims.rdtsc() + 100_000n;
  const reached = shims.spinUntil(end);
  check('spinUntil waits to some instructions', reached >= end && reached < end + 100n, reached - end);
  const called = shims.rdtsc();
  const returned = shims.spinUntil(0n);
  check('spinUntil does not wait for what has passed', returned - called < 1_000n, returned - called);
  throws('spinUntil refuses what would look like a hang', () => shims.spinUntil(shims.rdtsc() + (1n << 31n)), 'RangeError', 'ticks ahead');
  check('rdtsc and rdtscOrdered go forward', ordered > first && shims.rdtsc() > ordered, `${first}, ${ordered}`);
  const before = shims.rdtsc();
  shims.in8(0x61);
  const stamp = shims.accessTsc();
  const after = shims.rdtsc();
  check('accessTsc dates the access', stamp > before && stamp < after, `${before}, ${stamp}, ${after}`);
  check('accessTicks tells how long it took', shims.accessTicks() > 0 && BigInt(shims.accessTicks()) < after - before, shims.accessTicks());

  // ---- MSRs, CPUID, control registers
  const pat = shims.rdmsr(IA32_PAT);
  check('rdmsr reads 64 bits', pat === 0x0007_0406_0007_0406n, pat.toString(16));
  shims.wrmsr(IA32_PAT, pat);
  // TCG ignores most MSRs that do not exist instead of raising #GP; this value it refuses.
  throws(
    'wrmsr makes an error of #GP and names the MSR',
    () => shims.wrmsr(VM_HSAVE_PA, 0xfffn),
    'RangeError',
    'wrmsr',
    '0xc0010117',
    '#GP',
  );
  throws('rdmsr refuses an index of 33 bits', () => shims.rdmsr(2 ** 32), 'RangeError', 'rdmsr', 'index');
  throws('wrmsr refuses a number', () => anything['wrmsr']!(IA32_PAT, 0), 'TypeError', 'wrmsr', 'value', 'a number');
  const [, ebx, ecx, edx] = shims.cpuid(0, 0);
  check('cpuid gives four registers', ebx === 0x6874_7541 && edx === 0x6974_6e65 && ecx === 0x444d_4163, [ebx, ecx, edx]);
  throws('cpuid refuses a negative leaf', () => shims.cpuid(-1, 0), 'RangeError', 'cpuid', 'leaf');
  check('CR0 has paging and write protection on', (shims.readCr(0) & 0x8001_0001n) === 0x8001_0001n, shims.readCr(0).toString(16));
  check('CR8 is 0', shims.readCr(8) === 0n, shims.readCr(8));
  shims.writeCr(8, 5n);
  check('writeCr writes what readCr reads', shims.readCr(8) === 5n, shims.readCr(8));
  shims.writeCr(8, 0n);
  throws('readCr refuses register 1', () => shims.readCr(1), 'RangeError', 'readCr', '1');
  throws('writeCr refuses register 5', () => shims.writeCr(5, 0n), 'RangeError', 'writeCr', '5');

  // ---- memory
  const map = shims.memoryMap();
  const free = map.filter(({ kind }) => kind === 'free').sort((a, b) => b.length - a.length)[0]!;
  check(
    'the memory map is sorted and does not overlap',
    map.every(({ address, length }, index) => index + 1 === map.length || address + length <= map[index + 1]!.address),
    map.length,
  );
  const view = new Uint32Array(shims.physicalView(free.address, 4096));
  view[0] = 0xdead_beef;
  check('physicalView shows the same memory twice', new Uint32Array(shims.physicalView(free.address, 8))[0] === 0xdead_beef, view[0]);
  throws('physicalView refuses page 0', () => shims.physicalView(0, 16), 'RangeError', 'physicalView', 'not memory');
  throws('physicalView refuses the runtime', () => shims.physicalView(0x10_0000, 16), 'RangeError', 'physicalView', 'runtime');
  const hole = map.find(({ address, kind }) => address >= 2 ** 32 && kind === 'reserved');
  check('the map has a reserved range above 4 GiB', hole !== undefined, map.length);
  if (hole) throws('physicalView refuses it', () => shims.physicalView(hole.address, 16), 'RangeError', 'physicalView', 'not mapped');
  throws('physicalView refuses devices', () => shims.physicalView(HPET, 16), 'RangeError', 'physicalView', '0xfed00000');
  throws(
    'physicalView refuses a range across an end',
    () => shims.physicalView(free.address + free.length - 8, 16),
    'RangeError',
    'physicalView',
  );
  throws('physicalView refuses lengths that wrap', () => shims.physicalView(free.address, 2 ** 52), 'RangeError', 'physicalView', 'length');

  // ---- interrupts
  check('poll without interrupts takes none', shims.poll() === 0, 'poll');
  check('pollOne without interrupts takes none', shims.pollOne() === 0, 'pollOne');
  throws('interruptVector refuses an index beyond those taken', () => shims.interruptVector(0), 'RangeError', 'interruptVector', '0');
  throws('interruptTsc refuses an index beyond the list', () => shims.interruptTsc(64), 'RangeError', 'interruptTsc', 'index');
  check('no interrupt was lost', shims.interruptsLost() === 0, shims.interruptsLost());

  // ---- boot information and programs
  check('the command line arrives as given', shims.commandLine() === 'some words  with=spaces', JSON.stringify(shims.commandLine()));
  check(
    'boot came before the first statement, and that before now',
    shims.entryTsc() < shims.typescriptTsc() && shims.typescriptTsc() < first,
    shims.entryTsc(),
  );
  check(
    'the root pointer is where the loader says',
    shims.rsdpAddress() > 0xe_0000 && shims.rsdpAddress() < 0x10_0000,
    shims.rsdpAddress(),
  );
  check(
    'moduleFile gives a copy of a file',
    (shims.moduleFile('kernel.bytecode')?.byteLength ?? 0) > 1000,
    shims.moduleFile('kernel.bytecode')?.byteLength,
  );
  check('moduleFile of a file that is not there is undefined', shims.moduleFile('nothing') === undefined, 'nothing');
  throws('loadProgram names a program that is not there', () => shims.loadProgram('nothing'), 'RangeError', 'loadProgram', 'nothing');
  throws('loadProgram refuses a name longer than any', () => shims.loadProgram('x'.repeat(1000)), 'RangeError', 'loadProgram');
  throws('moduleFile refuses a number', () => anything['moduleFile']!(1), 'TypeError', 'moduleFile', 'name');

  // ---- partition
  throws('hypercall says that this is no partition', () => shims.hypercall(0x1_0000), 'RangeError', 'hypercall', 'not a partition');
  check('hypercallValue is 0 before the first one', shims.hypercallValue() === 0n, shims.hypercallValue());
  check('hypercallNumber is 0 before the first one', shims.hypercallNumber() === 0, shims.hypercallNumber());

  // ---- engine
  check('evaluate gives the value', shims.evaluate('1 + 1', 1_000_000_000n) === 2, 'evaluate');
  throws('evaluate passes syntax errors on', () => shims.evaluate('1 +', 1_000_000_000n), 'SyntaxError');
  throws('evaluate passes errors on', () => shims.evaluate('null.x', 1_000_000_000n), 'TypeError', 'null');
  throws('evaluate stops at its limit', () => shims.evaluate('for (;;);', 1_000_000n), 'InternalError', 'time limit');
  throws(
    'an evaluation can not catch its own end',
    () => shims.evaluate('for (;;) try { for (;;); } catch {}', 1_000_000n),
    'InternalError',
    'time limit',
  );
  check('after it, evaluate works as before', shims.evaluate('[1, 2].length', 1_000_000_000n) === 2, 'evaluate');
  check('evaluate takes the longest limit', shims.evaluate('3', 2n ** 64n - 1n) === 3, 'evaluate');
  const big = 2n ** 63n;
  shims.mmioWrite64(HPET_MAIN_CNT, big);
  const beforeWrites = shims.heapUsed();
  for (let turn = 0; turn < 1000; turn++) shims.mmioWrite64(HPET_MAIN_CNT, big);
  check('bigint arguments are not kept', shims.heapUsed() - beforeWrites < 1000, shims.heapUsed() - beforeWrites);
  const used = shims.heapUsed();
  check('heapUsed is within heapLimit', used > 0 && used < shims.heapLimit(), `${used} of ${shims.heapLimit()}`);
  interface Cycle {
    self?: Cycle;
    readonly ballast: Uint8Array;
  }
  (() => {
    const cycle: Cycle = { ballast: new Uint8Array(100_000) };
    cycle.self = cycle;
  })();
  const full = shims.heapUsed();
  shims.collectGarbage();
  check('collectGarbage frees cycles', shims.heapUsed() < full - 90_000, `${full} before, ${shims.heapUsed()} after`);
  throws('exit refuses codes that the device would cut', () => shims.exit(0x80), 'RangeError', 'exit', 'code');
  check('there is no Date and no Promise', typeof Date === 'undefined' && typeof Promise === 'undefined', typeof Date);
  cases.end();
}
