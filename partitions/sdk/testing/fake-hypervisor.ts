/**
 * A partition's world on the host: shims with memory, and a hypervisor behind them. Time is virtual; each look at the TSC costs some of it.
 * It is as unkind as the real one may be: the partition loses the CPU at the end of every slot, in the middle of whatever it does.
 * Ports are a loop: what is written to `from` is read from `to`.
 */
import type { MemoryRange, Shims } from '../../../kernel/hw/shims.ts';
import {
  ABI_VERSION,
  CLOCK,
  CLOCK_OPERATION,
  CONSOLE_MAX,
  CPUID_LEAF,
  DEFAULT_VECTOR_BASE,
  ERROR,
  HEALTH_ENTRY,
  HYPERCALL,
  LINE,
  PORT_VALID,
  SIGNATURE,
  STATUS,
  TIME_PAGE,
  TIMERS_MAX,
} from '../../../kernel/partition/abi.ts';

export interface FakeChannel {
  readonly kind: 'sampling' | 'queuing';
  readonly from: string;
  readonly to: string;
  readonly size: number;
  /** Of a queuing one. */
  readonly depth?: number;
  /** Of a sampling one, in ns; 0: for ever. */
  readonly validity?: bigint;
}

export interface FakeOptions {
  /** The partition runs from `start` to `start + duration` in each frame (ns). By default always. */
  readonly frame?: bigint;
  readonly start?: bigint;
  readonly duration?: bigint;
  /** ns that pass at each look at the TSC. */
  readonly step?: bigint;
  /** ns that pass before each hypercall is done. */
  readonly callCost?: bigint;
  /** TSC ticks per 1000 ns. */
  readonly ticksPerMicrosecond?: bigint;
  readonly channels?: readonly FakeChannel[];
  readonly wallAtEpoch?: bigint;
  readonly version?: number;
  readonly signature?: string;
  /** Bytes that the console takes until consoleText is cleared. */
  readonly consoleQuota?: number;
}

export interface FakeCall {
  readonly number: number;
  readonly words: readonly bigint[];
}

export interface FakeHypervisor {
  readonly shims: Shims;
  readonly calls: FakeCall[];
  /** What came out of the console. */
  consoleText: string;
  readonly traced: (readonly [code: bigint, value: bigint])[];
  /** What the health log holds for the next READ_HEALTH. */
  readonly healthLog: bigint[][];
  /** STATUS that the next STATUS call tells. */
  readonly status: bigint[];
  /** Statuses that the next calls of a number return instead of being done. */
  refuse(number: number, status: number): void;
  /** Virtual time, ns since the epoch. */
  now(): bigint;
  executed(): bigint;
  /** Lets time pass as if the partition had worked: it loses the CPU as ever. */
  work(ns: bigint): void;
  raise(line: number): void;
  /** Runs when the partition idles with nothing to come: to end a run. Without it that is an Error. */
  onIdleForEver: (() => void) | undefined;
  freeze(isFrozen: boolean): void;
}

const MEMORY = 0x100_0000;
const FREE = 0x80_0000;
const ALWAYS = 1n << 62n;
const SHIFT = 31n;

interface FakeTimer {
  clock: bigint;
  deadline: bigint;
  period: bigint;
}

interface FakePort {
  readonly channel: FakeChannel;
  readonly isWriter: boolean;
}

export function createFakeHypervisor(options: FakeOptions = {}): FakeHypervisor {
  const { frame = ALWAYS, start = 0n, duration = ALWAYS, step = 0n, callCost = 0n, ticksPerMicrosecond = 1000n, channels = [] } = options;
  const { wallAtEpoch = 0n, version = ABI_VERSION, signature = SIGNATURE, consoleQuota = Infinity } = options;
  const memory = new Uint8Array(MEMORY - FREE);
  const page = new DataView(new ArrayBuffer(TIME_PAGE.LENGTH));
  const timers = new Map<number, FakeTimer>();
  const contents = new Map<FakeChannel, { bytes: Uint8Array; at: bigint }[]>(channels.map((channel) => [channel, []]));
  const ports: FakePort[] = channels.flatMap((channel) => [
    { channel, isWriter: true },
    { channel, isWriter: false },
  ]);
  const refusals: { number: number; status: number }[] = [];
  let now = start;
  let executed = 0n;
  const tscAtBoot = 5_000n;
  let enabled = 0;
  let pending = 0;
  let taken: { line: number; tsc: bigint }[] = [];
  let value = 0n;
  let isFrozen = false;

  const slotStart = (): bigint => (now / frame) * frame + start;
  const slotEnd = (): bigint => slotStart() + duration;
  const tsc = (): bigint => tscAtBoot + (now * ticksPerMicrosecond) / 1000n;

  function writePage(): void {
    const put64 = (offset: number, content: bigint): void => page.setBigInt64(offset, content, true);
    const put32 = (offset: number, content: number): void => page.setUint32(offset, content, true);
    put32(TIME_PAGE.VERSION, version);
    put64(TIME_PAGE.TSC_BASE, tsc());
    put64(TIME_PAGE.HW_BASE, now);
    put64(TIME_PAGE.EXEC_BASE, executed);
    // Rounded up: 1,000 ticks are then never less than the microsecond they are, and within a slot no nanosecond more.
    const multiplier = Number(((1000n << SHIFT) + ticksPerMicrosecond - 1n) / ticksPerMicrosecond);
    put32(TIME_PAGE.HW_MULTIPLIER, isFrozen ? 0 : multiplier);
    put32(TIME_PAGE.EXEC_MULTIPLIER, multiplier);
    put32(TIME_PAGE.SHIFT, Number(SHIFT));
    put64(TIME_PAGE.SLOT_START, slotStart());
    put64(TIME_PAGE.SLOT_END, slotEnd());
    put32(TIME_PAGE.FRAME, Number(now / frame));
    put64(TIME_PAGE.WALL_OFFSET, wallAtEpoch);
    put32(TIME_PAGE.SEQUENCE, (page.getUint32(TIME_PAGE.SEQUENCE, true) + 2) >>> 0);
  }

  const clockOf = (timer: FakeTimer): bigint => (timer.clock === BigInt(CLOCK.HW) ? now : executed);

  function expire(): void {
    for (const [index, timer] of timers) {
      const late = clockOf(timer) - timer.deadline;
      if (late < 0n) continue;
      const count = timer.period === 0n ? 1n : late / timer.period + 1n;
      const at = TIME_PAGE.TIMER_COUNTS + 4 * index;
      page.setUint32(at, (page.getUint32(at, true) + Number(count)) >>> 0, true);
      pending |= 1 << (timer.clock === BigInt(CLOCK.HW) ? LINE.HW_TIMER : LINE.EXEC_TIMER);
      if (timer.period === 0n) timers.delete(index);
      else timer.deadline += count * timer.period;
    }
  }

  /** To an instant, or if a slot ends before, to the start of the next one. */
  function advance(to: bigint): void {
    const end = slotEnd();
    if (to < end) {
      executed += to - now;
      now = to;
    } else {
      executed += end - now;
      now = slotStart() + frame;
      writePage();
    }
    expire();
  }

  function work(ns: bigint): void {
    for (let left = ns; left > 0n;) {
      const part = left < slotEnd() - now ? left : slotEnd() - now;
      advance(now + part);
      left -= part;
    }
  }

  /** The next instant on HW at which a timer may expire. */
  function nextExpiry(): bigint | undefined {
    let next: bigint | undefined;
    for (const timer of timers.values()) {
      const ahead = timer.deadline - clockOf(timer);
      const at = now + (ahead > 0n ? ahead : 0n);
      if (next === undefined || at < next) next = at;
    }
    return next;
  }

  const text = (address: number, length: number): string =>
    new TextDecoder().decode(memory.subarray(address - FREE, address - FREE + length));
  const isMemory = (address: number, length: number): boolean => address >= FREE && length >= 0 && address + length <= MEMORY;

  function portCall(number: number, a: bigint, b: bigint, c: bigint): number {
    const port = ports[Number(a)];
    if (!port) return ERROR.NONE;
    const [address, length] = [Number(b), Number(c)];
    if (!isMemory(address, length)) return ERROR.ADDRESS;
    const { channel, isWriter } = port;
    const queue = contents.get(channel)!;
    if (isWriter !== (number === HYPERCALL.PORT_WRITE)) return ERROR.STATE;
    if (isWriter) {
      if (length > channel.size || (channel.kind === 'queuing' && queue.length === channel.depth)) return ERROR.FULL;
      if (channel.kind === 'sampling') queue.length = 0;
      else if (queue.length === 0) pending |= 1 << LINE.PORT;
      queue.push({ bytes: memory.slice(address - FREE, address - FREE + length), at: now });
      return ERROR.OK;
    }
    const message = queue[0];
    if (!message) return ERROR.EMPTY;
    if (channel.kind === 'queuing') queue.shift();
    memory.set(message.bytes, address - FREE);
    const { validity = 0n } = channel;
    const isValid = channel.kind === 'queuing' || validity === 0n || now - message.at <= validity;
    value = BigInt(message.bytes.length + (isValid ? PORT_VALID : 0));
    return ERROR.OK;
  }

  function answer(number: number, [a = 0n, b = 0n, c = 0n]: readonly bigint[]): number {
    const [first, second] = [Number(a), Number(b)];
    switch (number) {
      case HYPERCALL.SET_TIMER: {
        const index = first & 0xffff;
        if (index >= TIMERS_MAX) return ERROR.NONE;
        if (b < 0n || c < 0n) return ERROR.INVALID;
        timers.set(index, { clock: a >> 16n, deadline: b, period: c });
        expire();
        return ERROR.OK;
      }
      case HYPERCALL.CANCEL_TIMER:
        timers.delete(first);
        return ERROR.OK;
      case HYPERCALL.CONSOLE:
        if (!isMemory(first, second)) return ERROR.ADDRESS;
        if (second > CONSOLE_MAX) return ERROR.INVALID;
        if (fake.consoleText.length + second > consoleQuota) return ERROR.FULL;
        fake.consoleText += text(first, second);
        return ERROR.OK;
      case HYPERCALL.TRACE:
        fake.traced.push([a, b]);
        return ERROR.OK;
      case HYPERCALL.PORT_OPEN: {
        const name = text(first, second);
        const index = ports.findIndex(({ channel, isWriter }) => name === (isWriter ? channel.from : channel.to));
        value = BigInt(index);
        return index < 0 ? ERROR.NONE : ERROR.OK;
      }
      case HYPERCALL.PORT_WRITE:
      case HYPERCALL.PORT_READ:
        return portCall(number, a, b, c);
      case HYPERCALL.SET_ENABLED:
        enabled = Number(BigInt.asIntN(32, a));
        return ERROR.OK;
      case HYPERCALL.READ_HEALTH: {
        const view = new DataView(memory.buffer, first - FREE, second);
        let count = 0;
        for (; count < 2 && fake.healthLog.length > 0; count++) {
          const entry = fake.healthLog.shift()!;
          entry.forEach((field, index) => view.setBigInt64(count * HEALTH_ENTRY.LENGTH + index * 8, field, true));
        }
        value = BigInt(count);
        return ERROR.OK;
      }
      case HYPERCALL.STATUS: {
        const view = new DataView(memory.buffer, second - FREE, STATUS.LENGTH);
        fake.status.forEach((field, index) => view.setBigInt64(index * 8, field, true));
        return ERROR.OK;
      }
      case HYPERCALL.CONTROL_CLOCK:
        if (b !== BigInt(CLOCK_OPERATION.OFFSET)) fake.freeze(b === BigInt(CLOCK_OPERATION.FREEZE));
        return ERROR.OK;
      default:
        return number >>> 16 === version ? ERROR.OK : ERROR.VERSION;
    }
  }

  function hypercall(number: number, ...words: (number | bigint | undefined)[]): number {
    const call = { number, words: [0, 1, 2, 3].map((index) => BigInt(words[index] ?? 0)) };
    fake.calls.push(call);
    value = 0n;
    if (callCost > 0n) advance(now + callCost);
    const refusal = refusals.findIndex((entry) => entry.number === number);
    if (refusal >= 0) return refusals.splice(refusal, 1)[0]!.status;
    return answer(number, call.words);
  }

  function idle(): number {
    taken = [];
    while ((pending & enabled) === 0) {
      const next = nextExpiry();
      if (next !== undefined) advance(next);
      else if (fake.onIdleForEver) {
        fake.onIdleForEver();
        break;
      } else throw new Error('fake hypervisor: the partition idles, and nothing will ever come');
    }
    for (let line = 0; line < LINE.COUNT; line++)
      if ((pending & enabled & (1 << line)) !== 0) {
        pending &= ~(1 << line);
        taken.push({ line, tsc: tsc() });
      }
    return taken.length;
  }

  const signatureWord = (index: number): number =>
    [0, 1, 2, 3].reduce((word, byte) => word + signature.charCodeAt(index * 4 + byte) * 2 ** (8 * byte), 0);
  const leaves: Readonly<Record<number, [number, number, number, number]>> = {
    [CPUID_LEAF.BASE]: [CPUID_LEAF.FREQUENCY, signatureWord(0), signatureWord(1), signatureWord(2)],
    [CPUID_LEAF.PARTITION]: [version, MEMORY, 3, MEMORY],
    [CPUID_LEAF.FREQUENCY]: [Number(ticksPerMicrosecond) * 1000, 0, 0, 0],
  };
  const map: MemoryRange[] = [
    { address: 0, length: FREE - 0x10_0000, kind: 'runtime' },
    { address: FREE - 0x10_0000, length: 4096, kind: 'free' },
    { address: FREE, length: MEMORY - FREE, kind: 'free' },
    { address: MEMORY, length: TIME_PAGE.LENGTH, kind: 'reserved' },
  ];

  const used: Partial<Shims> = {
    rdtsc: () => {
      if (step > 0n) advance(now + step);
      return tsc();
    },
    cpuid: (leaf) => leaves[leaf] ?? [0, 0, 0, 0],
    memoryMap: () => map,
    physicalView: (address, length) => {
      if (address === MEMORY) return page.buffer;
      if (!isMemory(address, length)) throw new RangeError(`fake hypervisor: 0x${address.toString(16)} is no memory`);
      // The piece itself: an ArrayBuffer can't show a part of another one, so the pieces are written through here.
      return shared(address, length);
    },
    hypercall,
    hypercallValue: () => value,
    hypercallNumber: () => Number(value),
    idle,
    interruptVector: (index) => taken[index]!.line + DEFAULT_VECTOR_BASE,
    interruptTsc: (index) => taken[index]!.tsc,
    commandLine: () => 'partition=fake',
  };

  /** Buffers of their own, copied in and out around each hypercall: to TypeScript that is the same memory. */
  const pieces: { address: number; bytes: Uint8Array }[] = [];
  function shared(address: number, length: number): ArrayBuffer {
    const bytes = new Uint8Array(length);
    bytes.set(memory.subarray(address - FREE, address - FREE + length));
    pieces.push({ address, bytes });
    return bytes.buffer;
  }
  used.hypercall = (number, ...words) => {
    for (const { address, bytes } of pieces) memory.set(bytes, address - FREE);
    const status = hypercall(number, ...words);
    for (const { address, bytes } of pieces) bytes.set(memory.subarray(address - FREE, address - FREE + bytes.length));
    return status;
  };

  const fake: FakeHypervisor = {
    shims: new Proxy(used, {
      get: (target, name) => {
        const shim: unknown = Reflect.get(target, name);
        if (shim === undefined) throw new Error(`fake hypervisor: a program has no business with shims.${String(name)}`);
        return shim;
      },
    }) as Shims,
    calls: [],
    consoleText: '',
    traced: [],
    healthLog: [],
    status: [],
    refuse: (number, status) => refusals.push({ number, status }),
    now: () => now,
    executed: () => executed,
    work,
    raise: (line) => {
      pending |= 1 << line;
    },
    onIdleForEver: undefined,
    freeze: (frozen) => {
      isFrozen = frozen;
      writePage();
    },
  };
  writePage();
  return fake;
}
