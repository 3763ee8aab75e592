/**
 * A virtual PC, composed: its bus, its interrupt wiring, its devices on one guest time. It begins as firmware leaves a PC to an operating
 * system: the local APIC is enabled and passes the 8259As' interrupts on ("virtual wire mode", MultiProcessor Specification 1.4).
 *
 * Not modelled: PCI, keyboard, DMA, NMI (counted), a CMOS checksum, floating buses: where nobody answers all ones are read.
 */
import { LAPIC, LAPIC_ADDRESS, LVT, SVR } from '../regs/local-apic.ts';
import { IOAPIC_ADDRESS } from '../regs/i82093aa.ts';
import { HPET_BASE } from '../regs/ia-pc-hpet.ts';
import { civilFromSeconds } from '../time/calendar.ts';
import type { Frequency } from '../time/frequency.ts';
import { instant, ticks, type Instant } from '../time/units.ts';
import type { CreatePlatformTimer, GuestClock, InterruptLine, MemoryDevice, OnMisuse, PortDevice, Request } from './device.ts';
import { createGuestTime, type GuestTimeState } from './guest-time.ts';
import { createInterruptLines, type LinesState } from './interrupt-lines.ts';
import { createPlatformTimers, type PlatformTimersState, type SourceAccounts } from './platform-timers.ts';
import { createResetPorts } from './reset-port.ts';
import { createHostTimers } from './rules-2007.ts';
import type { TimerModeName } from './timer-modes.ts';
import { createVhpet, vhpetLength, type VhpetState } from './vhpet.ts';
import { createVirtualIoApic, type IoApicState } from './vioapic.ts';
import { createVirtualLocalApic, type LocalApicState } from './vlapic.ts';
import { createVirtualPic, type PicState } from './vpic.ts';
import { createPit, type PitState } from './vpit.ts';
import { createPmTimer, type PmTimerState } from './vpm-timer.ts';
import { createRtc, type RtcState } from './vrtc.ts';
import { createVirtualUart, type UartState } from './vuart.ts';

export interface PlatformOptions {
  readonly tscFrequency: Frequency;
  readonly timerMode: TimerModeName;
  readonly setsOnThaw: boolean;
  readonly setsOnPost: boolean;
  /** `2007`: those of rules-2007.ts, where there were no timer modes yet: `timerMode` counts for nothing. */
  readonly era: 'today' | '2007';
  /** COUNTER_CLK_PERIOD in femtoseconds, and how many timers. */
  readonly hpet: { readonly period: number; readonly timers: number } | undefined;
  /** What the real-time clock shows at guest time 0: seconds since 1970. */
  readonly date: number;
  readonly memoryBytes: number;
  /** I/O ports by device. */
  readonly ports: Readonly<Record<PortRange, { readonly first: number; readonly count: number }>>;
  /** A line that the guest wrote to COM1. @param bytes valid during the call only */
  readonly onLine: (bytes: Uint8Array) => void;
  readonly onMisuse: (device: string, what: string, offset: number, width: number) => void;
  /** A tick goes to its device. @param source its place in `sources` */
  readonly onTick: (source: number, deadline: Instant) => void;
  /** Whether the CPU's flags let it take an interrupt now. */
  readonly isInterruptible: () => boolean;
  readonly onReset: () => void;
  /** The guest switched its machine off, or to sleep, from which nothing would wake it. */
  readonly onSleep: () => void;
}

export type PortRange =
  'PIC_MASTER' | 'PIC_SLAVE' | 'ELCR' | 'PIT' | 'SYSTEM_CONTROL_PORT_B' | 'KEYBOARD_COMMAND' | 'RTC' | 'UART' | 'PM' | 'RESET_CONTROL';

export interface PlatformState {
  readonly time: GuestTimeState;
  readonly localApic: LocalApicState;
  readonly ioApic: IoApicState;
  readonly pic: PicState;
  readonly lines: LinesState;
  readonly hpet: VhpetState | undefined;
  readonly pit: PitState;
  readonly rtc: RtcState;
  readonly pmTimer: PmTimerState;
  readonly uart: UartState;
  readonly resetControl: number;
  readonly timers: PlatformTimersState;
}

export interface DeviceCounts {
  readonly device: string;
  readonly reads: number;
  readonly writes: number;
  readonly misuses: number;
}

/** Everything that happens to it happens at the host's TSC value that `setTsc` was last given, unless one is passed. */
export interface Platform {
  /** Never goes back. What is due by then is delivered: on real hardware it would have happened before what comes. */
  setTsc(hostTsc: bigint): void;
  /** Guest time is 0 at this TSC value. */
  begin(hostTsc: bigint): void;
  /** The host stood still for so many ticks: so did the guest, which sees nothing of it. */
  stood(count: bigint): void;

  // ---- the CPU's side
  /** Whether an interrupt waits that the CPU could take if its flags let it. */
  isRequesting(): boolean;
  /** The CPU takes it. @returns its vector */
  acknowledge(): number;
  /** For the VMCB: guest TSC minus the host's. */
  tscOffset(): bigint;
  /** Guest TSC. */
  readTsc(): bigint;
  /** Guest minus host time, and what the guest is owed, ns. */
  offset(): bigint;
  owed(): bigint;
  readonly clock: GuestClock;
  readCr8(): number;
  writeCr8(value: number): void;
  /** @returns undefined if it is none of the platform's */
  readMsr(index: number): bigint | undefined;
  /** @returns false: #GP; undefined if it is none of the platform's */
  writeMsr(index: number, value: bigint): boolean | undefined;

  // ---- the bus
  hasPort(port: number): boolean;
  in(port: number, width: 1 | 2 | 4): number;
  out(port: number, width: 1 | 2 | 4, value: number): void;
  /** The device at a page of guest-physical memory. */
  deviceAt(page: number): MemoryDevice;

  // ---- time
  /** Host TSC at which the next tick is due. */
  dueTsc(): bigint;
  /** Whether one waits for the CPU to be interruptible. */
  isHeld(): boolean;
  /** Delivers what is due by then. */
  deliver(hostTsc: bigint): void;
  beforeRun(hostTsc: bigint): void;
  afterRun(hostTsc: bigint): void;

  /** A reset is all of these in turn, whatever lies between them. */
  readonly resets: readonly (() => void)[];
  save(): PlatformState;
  restore(state: PlatformState): void;
  /** Names of the sources of ticks. */
  readonly sources: readonly string[];
  accounts(): readonly SourceAccounts[];
  counts(): readonly DeviceCounts[];
}

const PAGE_SHIFT = 12;
const MSR_TSC = 0x10;
const MSR_APIC_BASE = 0x1b;
const MSR_TSC_ADJUST = 0x3b;
const MSR_TSC_DEADLINE = 0x6e0;
/** SCI, as PCs have it. */
export const SCI_LINE = 9;
/** What the local APIC's timer counts, as QEMU's and most hypervisors' does: 1 GHz. */
const BUS: Frequency = {
  numerator: 1_000_000_000n,
  denominator: 1n,
  provenance: 'architectural',
  source: 'virtual local APIC',
  uncertaintyPpb: 0,
};
/** "LVT Timer Register" and others: what firmware leaves. */
const SPURIOUS_VECTOR = 0xff;

const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b);

const NOBODY = 0;
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;
const ALL_ONES_MEMORY = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: 0xffff_ffff_ffff_ffffn } as const;

export function createPlatform(options: PlatformOptions): Platform {
  const { ports } = options;
  const mode: TimerModeName = options.era === '2007' ? 'delay_for_missed_ticks' : options.timerMode;
  let tsc = 0n;

  // ---- guest time, and what runs on it
  const time = createGuestTime({
    hostTsc: () => tsc,
    frequency: options.tscFrequency,
    startTsc: 0n,
    mode,
    setsOnThaw: options.setsOnThaw,
    setsOnPost: options.setsOnPost,
  });
  const timers = createPlatformTimers({
    guestTime: time,
    mode,
    isReady: () => options.isInterruptible() && !localApic.isServing() && !pic.isServing(),
  });
  const hostTimers = options.era === '2007' ? createHostTimers(time) : undefined;
  const sources: string[] = [];
  /** Timers whose ticks are told. */
  const told =
    (create: CreatePlatformTimer): CreatePlatformTimer =>
    (source) => {
      const place = sources.push(source.name) - 1;
      return create({
        ...source,
        tick: (deadline, acknowledged): Request => {
          options.onTick(place, deadline);
          return source.tick(deadline, acknowledged);
        },
      });
    };
  const createTimer = told(timers.create);

  // ---- the bus
  const names = ['nobody'];
  const reads: number[] = [0];
  const writes: number[] = [0];
  const misuses: number[] = [0];
  const portOwner = new Uint8Array(0x1_0000);
  const portDevices: (PortDevice | undefined)[] = [undefined];
  const portFirst: number[] = [0];

  function name(device: string): { readonly owner: number; readonly onMisuse: OnMisuse } {
    const owner = names.push(device) - 1;
    reads[owner] = writes[owner] = misuses[owner] = 0;
    return {
      owner,
      onMisuse: (what, offset, width) => {
        misuses[owner]!++;
        options.onMisuse(device, what, offset, width);
      },
    };
  }
  function place(owner: number, range: PortRange, device: PortDevice, skipped = 0): void {
    const { first, count } = ports[range];
    const at = portDevices.length;
    portDevices.push(device);
    portFirst.push(first - skipped);
    portOwners.push(owner);
    portOwner.fill(at, first, first + count);
  }
  const portOwners: number[] = [NOBODY];
  function counted(owner: number, device: MemoryDevice): MemoryDevice {
    return {
      read: (offset, width) => {
        reads[owner]!++;
        return device.read(offset, width);
      },
      write: (offset, width, value) => {
        writes[owner]!++;
        device.write(offset, width, value);
      },
    };
  }

  // ---- interrupts
  const picBus = name('pic');
  const pic = createVirtualPic({ onRequest: (isHigh) => localApic.setLint0(isHigh), onMisuse: picBus.onMisuse });
  place(picBus.owner, 'PIC_MASTER', pic.master);
  place(picBus.owner, 'PIC_SLAVE', pic.slave);
  place(picBus.owner, 'ELCR', pic.elcr);
  const lapicBus = name('lapic');
  const localApic = createVirtualLocalApic({
    clock: time,
    createTimer,
    bus: BUS,
    tsc: {
      read: () => time.tsc(tsc),
      // The first that is reached by the deadline's tick, and by none before.
      instantOf: (deadline) => instant(time.toNanos(ticks(deadline - BigInt.asIntN(64, time.tscAdjust()) - 1n)) + 1n),
    },
    hasTscDeadline: true,
    acknowledgePic: () => pic.acknowledge(),
    onPicConnected: (isConnected) => pic.setConnected(isConnected),
    broadcastEoi: (vector) => ioApic.endOfInterrupt(vector),
    onNmi: () => lapicBus.onMisuse('an NMI, which is not modelled', 0, 4),
    onMisuse: lapicBus.onMisuse,
  });
  const ioApicBus = name('ioapic');
  const ioApic = createVirtualIoApic({
    localApic,
    onUnmasked: (input) => lines.inputUnmasked(input),
    onMisuse: ioApicBus.onMisuse,
  });
  const lines = createInterruptLines({ pic, ioApic });

  // ---- timers
  const { hpet: block } = options;
  const hpetBus = block && name('hpet');
  const hpet =
    block &&
    createVhpet({
      clock: time,
      createTimer: hostTimers ? told(hostTimers.create) : createTimer,
      input: (input) => lines.gsiLine(input),
      legacy: { irq0: lines.isaLine(0), irq8: lines.isaLine(8) },
      periodFs: block.period,
      timers: block.timers,
      sendMessage: (_address, value, acknowledged) => localApic.accept(value & 0xff, false, acknowledged),
      onMisuse: hpetBus!.onMisuse,
    });
  const gated = (irq: number): InterruptLine => hpet?.gate(lines.isaLine(irq)) ?? lines.isaLine(irq);
  const pitBus = name('pit');
  const pit = createPit({ clock: time, createTimer, line: gated(0), onMisuse: pitBus.onMisuse });
  place(pitBus.owner, 'PIT', pit.ports);
  place(pitBus.owner, 'SYSTEM_CONTROL_PORT_B', pit.portB);
  const rtcBus = name('rtc');
  const rtc = createRtc({
    clock: time,
    createTimer,
    line: gated(8),
    onMisuse: rtcBus.onMisuse,
    start: civilFromSeconds(BigInt(options.date)),
    memoryBytes: options.memoryBytes,
  });
  place(rtcBus.owner, 'RTC', rtc);
  const pmBus = name('pm-timer');
  const pmTimer = createPmTimer({
    clock: time,
    createTimer,
    line: lines.isaLine(SCI_LINE),
    onMisuse: pmBus.onMisuse,
    onSleep: options.onSleep,
  });
  place(pmBus.owner, 'PM', pmTimer);

  // ---- the rest
  const uartBus = name('uart');
  const uart = createVirtualUart({
    clock: time,
    createTimer,
    line: lines.isaLine(4),
    onLine: options.onLine,
    onMisuse: uartBus.onMisuse,
    takesTime: false,
  });
  place(uartBus.owner, 'UART', uart);
  const resetBus = name('reset');
  const resetPorts = createResetPorts(options.onReset, resetBus.onMisuse);
  place(resetBus.owner, 'KEYBOARD_COMMAND', resetPorts.keyboardController);
  place(resetBus.owner, 'RESET_CONTROL', resetPorts.resetControl);

  const nobody: MemoryDevice = counted(NOBODY, { read: (_offset, width) => ALL_ONES_MEMORY[width], write: () => undefined });
  const localApicMemory = counted(lapicBus.owner, localApic);
  const ioApicMemory = counted(ioApicBus.owner, ioApic);
  const hpetMemory = hpet && counted(hpetBus!.owner, hpet);
  const hpetEnd = block ? vhpetLength(block.timers) : 0;

  /** A page holds more than the block does. */
  const hpetPage: MemoryDevice = {
    read: (offset, width) => (offset < hpetEnd ? hpetMemory! : nobody).read(offset, width),
    write: (offset, width, value) => (offset < hpetEnd ? hpetMemory! : nobody).write(offset, width, value),
  };

  function leaveAsFirmwareDoes(): void {
    localApic.write(LAPIC.SVR, 4, BigInt(SVR.ENABLE | SPURIOUS_VECTOR));
    localApic.write(LAPIC.LVT_LINT0, 4, BigInt(LVT.DELIVERY_EXTINT));
    localApic.write(LAPIC.LVT_LINT1, 4, BigInt(LVT.DELIVERY_NMI));
  }
  leaveAsFirmwareDoes();

  return {
    setTsc: (hostTsc) => {
      tsc = hostTsc;
      if (timers.dueTsc() <= hostTsc) timers.deliver(hostTsc);
    },
    begin: (hostTsc) => {
      tsc = hostTsc;
      time.restore({ ticks: 0n, owed: 0n, isFrozen: false, tscAdjust: 0n, hostTsc: 0n }, hostTsc);
    },
    stood: (count) => {
      time.restore(time.save(tsc), tsc + count);
      tsc += count;
    },

    isRequesting: () => localApic.pending() >= 0,
    acknowledge: localApic.acknowledge,
    tscOffset: time.tscOffset,
    readTsc: () => time.tsc(tsc),
    offset: () => time.toNanos(time.at(tsc)) - time.toNanos(tsc),
    owed: () => time.toNanos(time.owed(tsc)),
    clock: time,
    readCr8: localApic.readCr8,
    writeCr8: localApic.writeCr8,
    readMsr: (index) => {
      switch (index) {
        case MSR_TSC:
          return time.tsc(tsc);
        case MSR_TSC_ADJUST:
          return time.tscAdjust();
        case MSR_APIC_BASE:
          return localApic.readBase();
        case MSR_TSC_DEADLINE:
          return localApic.readTscDeadline();
        default:
          return undefined;
      }
    },
    writeMsr: (index, value) => {
      switch (index) {
        case MSR_TSC:
          time.writeTsc(value, tsc);
          localApic.tscChanged();
          return true;
        case MSR_TSC_ADJUST:
          time.writeTscAdjust(value);
          localApic.tscChanged();
          return true;
        case MSR_APIC_BASE:
          return localApic.writeBase(value);
        case MSR_TSC_DEADLINE:
          localApic.writeTscDeadline(value);
          return true;
        default:
          return undefined;
      }
    },

    hasPort: (port) => portOwner[port] !== 0,
    in: (port, width) => {
      const at = portOwner[port]!;
      reads[portOwners[at]!]!++;
      return at === 0 ? ALL_ONES[width] : portDevices[at]!.read(port - portFirst[at]!, width);
    },
    out: (port, width, value) => {
      const at = portOwner[port]!;
      writes[portOwners[at]!]!++;
      if (at !== 0) portDevices[at]!.write(port - portFirst[at]!, width, value);
    },
    deviceAt: (page) => {
      if (page === HPET_BASE >>> PAGE_SHIFT) return hpet ? hpetPage : nobody;
      if (page === LAPIC_ADDRESS >>> PAGE_SHIFT) return localApic.isEnabled() ? localApicMemory : nobody;
      return page === IOAPIC_ADDRESS >>> PAGE_SHIFT ? ioApicMemory : nobody;
    },

    dueTsc: hostTimers ? () => earlier(hostTimers.dueTsc(), timers.dueTsc()) : timers.dueTsc,
    isHeld: () => timers.isHeld(tsc),
    deliver: (hostTsc) => {
      tsc = hostTsc;
      hostTimers?.deliver(hostTsc);
      timers.deliver(hostTsc);
    },
    beforeRun: (hostTsc) => {
      tsc = hostTsc;
      timers.beforeRun(hostTsc);
    },
    afterRun: (hostTsc) => {
      tsc = hostTsc;
      timers.afterRun(hostTsc);
    },

    resets: [
      ...(hpet ? [hpet.reset] : []),
      rtc.reset,
      uart.reset,
      ioApic.reset,
      pic.reset,
      localApic.reset,
      () => {
        time.writeTscAdjust(0n);
        leaveAsFirmwareDoes();
      },
    ],
    save: () => ({
      time: time.save(tsc),
      localApic: localApic.save(),
      ioApic: ioApic.save(),
      pic: pic.save(),
      lines: lines.save(),
      hpet: hpet?.save(),
      pit: pit.save(),
      rtc: rtc.save(),
      pmTimer: pmTimer.save(),
      uart: uart.save(),
      resetControl: resetPorts.save(),
      timers: timers.save(),
    }),
    restore: (state) => {
      time.restore(state.time, tsc);
      localApic.restore(state.localApic);
      ioApic.restore(state.ioApic);
      pic.restore(state.pic);
      lines.restore(state.lines);
      if (state.hpet) hpet?.restore(state.hpet);
      pit.restore(state.pit);
      rtc.restore(state.rtc);
      pmTimer.restore(state.pmTimer);
      uart.restore(state.uart);
      resetPorts.restore(state.resetControl);
      timers.restore(state.timers);
    },
    sources,
    accounts: timers.accounts,
    counts: () => names.map((device, owner) => ({ device, reads: reads[owner]!, writes: writes[owner]!, misuses: misuses[owner]! })),
  };
}
