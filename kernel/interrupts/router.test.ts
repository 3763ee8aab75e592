import { describe, expect, it } from 'vitest';
import type { SourceOverride } from '../acpi/tables.ts';
import { probeIoApic } from '../drivers/ioapic-82093aa.ts';
import { probeLocalApic } from '../drivers/local-apic.ts';
import { PIC_BASE, probePic } from '../drivers/pic-8259a.ts';
import { createMmio } from '../hw/mmio.ts';
import { createPorts } from '../hw/ports.ts';
import { PIC } from '../regs/i8259a.ts';
import { IOAPIC } from '../regs/i82093aa.ts';
import { LAPIC, LVT } from '../regs/local-apic.ts';
import { createFakeBus } from '../testing/bus.ts';
import { createFakeClock } from '../testing/clock.ts';
import { createFakeIoApic } from '../testing/ioapic-82093aa.ts';
import { createFakeLocalApic } from '../testing/local-apic.ts';
import { createFakePicPair } from '../testing/pic-8259a.ts';
import type { Dispatcher, InterruptHandler } from './dispatcher.ts';
import { createRouter, type InterruptLine } from './router.ts';
import { VECTOR } from './vectors.ts';

const LAPIC_ID = 3;
const IOAPIC_BASE = 0xfec0_0000;
const LAPIC_BASE = 0xfee0_0000;

/** A PC's: the PIT at input 2. */
const PIT_OVERRIDE: SourceOverride = { irq: 0, gsi: 2, polarity: 'conforms', trigger: 'conforms' };

interface PcOptions {
  /** Inputs and first GSI of each. */
  readonly ioApics?: readonly (readonly [inputs: number, gsiBase: number])[];
  readonly overrides?: readonly SourceOverride[];
  readonly hasPic?: boolean;
  readonly hasLocalApic?: boolean;
}

/** A machine of fake controllers behind the real drivers, and a CPU that dispatches what they send. */
function createPc({ ioApics = [[24, 0]], overrides = [PIT_OVERRIDE], hasPic = true, hasLocalApic = true }: PcOptions = {}) {
  const clock = createFakeClock();
  const pair = createFakePicPair();
  const lapic = createFakeLocalApic(clock, { id: LAPIC_ID });
  const chips = ioApics.map(([inputs]) => createFakeIoApic({ inputs }));
  const bus = createFakeBus({
    clock,
    ports: [
      { base: PIC_BASE.MASTER, length: PIC.COUNT, device: pair.master },
      { base: PIC_BASE.SLAVE, length: PIC.COUNT, device: pair.slave },
    ],
    memory: [
      { base: LAPIC_BASE, length: LAPIC.LENGTH, device: lapic },
      ...chips.map((device, index) => ({ base: IOAPIC_BASE + 0x1000 * index, length: IOAPIC.LENGTH, device })),
    ],
  });
  const { shims } = bus;
  const handlers = new Map<number, { handler: InterruptHandler; end: () => void }>();
  const unexpected: number[] = [];
  const dispatcher: Dispatcher = {
    setHandler: (vector, handler, end) => void handlers.set(vector, { handler, end }),
    removeHandler: (vector) => void handlers.delete(vector),
    waitAndDispatch: () => undefined,
    pollAndDispatch: () => undefined,
    isTaken: () => false,
    dispatchTaken: () => undefined,
  };
  const router = createRouter({
    dispatcher,
    localApic: hasLocalApic ? probeLocalApic(createMmio(shims, LAPIC_BASE, LAPIC.LENGTH), VECTOR.SPURIOUS) : undefined,
    ioApics: ioApics.map(([, gsiBase], index) => probeIoApic(createMmio(shims, IOAPIC_BASE + 0x1000 * index, IOAPIC.LENGTH), gsiBase)!),
    pic: hasPic
      ? probePic(createPorts(shims, PIC_BASE.MASTER, PIC.COUNT), createPorts(shims, PIC_BASE.SLAVE, PIC.COUNT), VECTOR.PIC)
      : undefined,
    madt: {
      localApicAddress: LAPIC_BASE,
      isPcatCompatible: true,
      processors: [],
      ioApics: [],
      sourceOverrides: overrides,
      localApicNmis: [],
      skippedEntries: 0,
    },
  });
  bus.takeAccesses();

  function dispatch(vector: number): void {
    const entry = handlers.get(vector);
    if (!entry) {
      unexpected.push(vector);
      return;
    }
    entry.handler(77n);
    entry.end();
  }
  return {
    router,
    pair,
    lapic,
    handlers,
    unexpected,
    dispatch,
    /** An edge at an I/O APIC's input. */
    raiseInput: (input: number, chip = 0) => chips[chip]!.raise(input),
    /** A device raises a line of the 8259As, and the CPU takes what they have. */
    raiseLine: (line: number): void => {
      pair.raise(line);
      if (pair.isRequesting()) dispatch(pair.acknowledge());
    },
  };
}

const ignore: InterruptHandler = () => undefined;
const connected = (line: InterruptLine | undefined): InterruptLine => {
  if (!line) throw new Error('there is no such way');
  return line;
};

describe('an ISA interrupt with an I/O APIC', () => {
  it('goes to the input of its own number: edge, active high, to this CPU', () => {
    const { router, raiseInput } = createPc();
    const line = connected(router.connectIsa(4, ignore));
    expect(line).toMatchObject({ vector: VECTOR.GSI + 4, route: 'I/O APIC input 4' });
    line.enable();
    expect(raiseInput(4)).toEqual({ vector: VECTOR.GSI + 4, destination: LAPIC_ID, isLevel: false, isActiveLow: false });
  });

  it('is masked until it is enabled', () => {
    const { router, raiseInput } = createPc();
    const line = connected(router.connectIsa(4, ignore));
    expect(raiseInput(4)).toBeUndefined();
    line.enable();
    expect(raiseInput(4)).toBeDefined();
  });

  it.each([
    [
      { polarity: 'conforms', trigger: 'conforms' },
      { isLevel: false, isActiveLow: false },
    ],
    [
      { polarity: 'high', trigger: 'edge' },
      { isLevel: false, isActiveLow: false },
    ],
    [
      { polarity: 'low', trigger: 'edge' },
      { isLevel: false, isActiveLow: true },
    ],
    [
      { polarity: 'high', trigger: 'level' },
      { isLevel: true, isActiveLow: false },
    ],
    [
      { polarity: 'low', trigger: 'level' },
      { isLevel: true, isActiveLow: true },
    ],
  ] as const)('goes where its override says, as it says: %j', (flags, expected) => {
    const { router, raiseInput } = createPc({ overrides: [PIT_OVERRIDE, { irq: 9, gsi: 20, ...flags }] });
    const line = connected(router.connectIsa(9, ignore));
    expect(line).toMatchObject({ vector: VECTOR.GSI + 20, route: 'I/O APIC input 20' });
    line.enable();
    expect(raiseInput(9)).toBeUndefined();
    expect(raiseInput(20)).toMatchObject(expected);
  });

  it('calls its handler with the stamp, and is ended in the local APIC, once and afterwards', () => {
    const { dispatch, lapic, router } = createPc();
    const order: string[] = [];
    connected(router.connectIsa(4, (taken) => order.push(`handled at ${taken} after ${lapic.endsOfInterrupt()} ends`))).enable();
    dispatch(VECTOR.GSI + 4);
    expect(order).toEqual(['handled at 77 after 0 ends']);
    expect(lapic.endsOfInterrupt()).toBe(1);
  });

  it('that is disconnected is masked and has no handler', () => {
    const { handlers, raiseInput, router } = createPc();
    const line = connected(router.connectIsa(4, ignore));
    line.enable();
    line.disconnect();
    expect(raiseInput(4)).toBeUndefined();
    expect([...handlers.keys()]).toEqual([]);
  });

  it('has the 8259A as its second way, and no third', () => {
    const { router } = createPc();
    expect(connected(router.connectIsa(4, ignore, 1)).route).toBe('8259A line 4');
    expect(router.connectIsa(4, ignore, 2)).toBeUndefined();
  });

  it('goes to the 8259A where no I/O APIC has its input', () => {
    const { router } = createPc({ ioApics: [[8, 0]] });
    expect(connected(router.connectIsa(9, ignore)).route).toBe('8259A line 9');
    expect(router.connectIsa(9, ignore, 1)).toBeUndefined();
  });

  it('goes to the 8259A without a local APIC', () => {
    expect(createPc({ hasLocalApic: false }).router.connectIsa(4, ignore)?.route).toBe('8259A line 4');
  });
});

describe('IRQ 0', () => {
  const routes = (options: PcOptions): (string | undefined)[] =>
    [0, 1, 2, 3].map((attempt) => createPc(options).router.connectIsa(0, ignore, attempt)?.route);

  it('with an override goes there, then to the 8259A', () => {
    expect(routes({})).toEqual(['I/O APIC input 2', '8259A line 0', undefined, undefined]);
  });

  it('without an override is tried at input 0, then at input 2, then at the 8259A', () => {
    expect(routes({ overrides: [] })).toEqual(['I/O APIC input 0', 'I/O APIC input 2', '8259A line 0', undefined]);
  });

  it('without an 8259A has one way less', () => {
    expect(routes({ hasPic: false })).toEqual(['I/O APIC input 2', undefined, undefined, undefined]);
  });

  it('without an I/O APIC goes to the 8259A, overrides or not', () => {
    expect(routes({ ioApics: [] })).toEqual(['8259A line 0', undefined, undefined, undefined]);
  });
});

describe('an ISA interrupt through the 8259A', () => {
  const PIC_ONLY: PcOptions = { ioApics: [] };

  it.each([0, 4, 8, 14])('%i has its own vector, and is silent until it is enabled', (irq) => {
    const { router, raiseLine, lapic } = createPc(PIC_ONLY);
    const taken: bigint[] = [];
    const line = connected(router.connectIsa(irq, (stamp) => taken.push(stamp)));
    expect(line).toMatchObject({ vector: VECTOR.PIC + irq, route: `8259A line ${irq}` });
    raiseLine(irq);
    expect(taken).toEqual([]);
    line.enable();
    raiseLine(irq);
    raiseLine(irq);
    expect(taken).toContain(77n);
    expect(lapic.register(LAPIC.LVT_LINT0)).toBe(LVT.DELIVERY_EXTINT);
  });

  it.each([0, 7, 8, 15])('%i is in service while it is handled, is ended afterwards in the 8259A alone, and comes again', (irq) => {
    const { router, raiseLine, pair, lapic } = createPc(PIC_ONLY);
    const inService: number[] = [];
    connected(router.connectIsa(irq, () => inService.push(pair.inService()))).enable();
    raiseLine(irq);
    raiseLine(irq);
    const during = irq < 8 ? 1 << irq : (1 << irq) | (1 << 2);
    expect(inService).toEqual([during, during]);
    expect(pair.inService()).toBe(0);
    expect(lapic.endsOfInterrupt()).toBe(0);
  });

  it('works without a local APIC', () => {
    const { router, raiseLine } = createPc({ ioApics: [], hasLocalApic: false });
    let count = 0;
    connected(router.connectIsa(0, () => count++)).enable();
    raiseLine(0);
    expect(count).toBe(1);
  });

  it('7 that is spurious is neither handled nor ended: an end would end another’s', () => {
    const { dispatch, pair, router } = createPc(PIC_ONLY);
    let count = 0;
    connected(router.connectIsa(7, () => count++)).enable();
    pair.raise(7);
    pair.withdraw(7);
    dispatch(pair.acknowledge());
    expect(count).toBe(0);
    expect(pair.inService()).toBe(0);
  });

  it('15 that is spurious is not handled, and ended in the master alone, whose cascade is in service', () => {
    const { dispatch, pair, raiseLine, router } = createPc(PIC_ONLY);
    const handled: number[] = [];
    connected(router.connectIsa(15, () => handled.push(15))).enable();
    connected(router.connectIsa(8, () => handled.push(8))).enable();
    pair.raise(15);
    pair.withdraw(15);
    dispatch(pair.acknowledge());
    expect(handled).toEqual([]);
    expect(pair.inService()).toBe(0);
    raiseLine(8);
    expect(handled, 'the slave is heard again').toEqual([8]);
  });

  it('that is disconnected is masked and has no handler', () => {
    const { handlers, pair, router } = createPc(PIC_ONLY);
    const line = connected(router.connectIsa(4, ignore));
    line.enable();
    line.disconnect();
    pair.raise(4);
    expect(pair.isRequesting()).toBe(false);
    expect([...handlers.keys()]).toEqual([]);
  });

  it('has no way at all where there is no controller', () => {
    expect(createPc({ ioApics: [], hasPic: false }).router.connectIsa(0, ignore)).toBeUndefined();
  });
});

describe('a global system interrupt', () => {
  const TWO: PcOptions = {
    ioApics: [
      [24, 0],
      [8, 24],
    ],
  };

  it('goes to the I/O APIC that has it, by that one’s own count', () => {
    const { raiseInput, router } = createPc(TWO);
    connected(router.connectGsi(26, ignore)).enable();
    expect(raiseInput(2, 0)).toBeUndefined();
    expect(raiseInput(2, 1)).toEqual({ vector: VECTOR.GSI + 26, destination: LAPIC_ID, isLevel: false, isActiveLow: false });
  });

  it.each([23, 24, 31])('%i at an edge of an I/O APIC is there', (gsi) => {
    expect(createPc(TWO).router.connectGsi(gsi, ignore)).toBeDefined();
  });

  it.each([32, 100, -1])('%i that no I/O APIC has is not', (gsi) => {
    expect(createPc(TWO).router.connectGsi(gsi, ignore)).toBeUndefined();
  });

  it('whose vector would be the local timer’s or above is not', () => {
    const last = VECTOR.LOCAL_TIMER - VECTOR.GSI - 1;
    const { router } = createPc({ ioApics: [[120, last - 100]] });
    expect(router.connectGsi(last, ignore)).toMatchObject({ vector: VECTOR.LOCAL_TIMER - 1 });
    expect(router.connectGsi(last + 1, ignore)).toBeUndefined();
  });

  it.each([
    ['the highest that an I/O APIC has', 0b1010_0000_0000_0000_0000_0100, [[24, 0]], 23],
    ['not one above those that are there', 0xff00_0000, [[24, 0]], undefined],
    ['below the missing ones', 0x8010_0000, [[24, 0]], 20],
    ['number 31', 0xffff_ffff, [[32, 0]], 31],
    ['number 0', 1, [[24, 0]], 0],
    ['none of none', 0, [[24, 0]], undefined],
    ['none without an I/O APIC', 0xffff_ffff, [], undefined],
    [
      'one of a second I/O APIC',
      0x0100_0001,
      [
        [8, 0],
        [8, 24],
      ],
      24,
    ],
  ] as const)('is picked from a mask: %s', (_, mask, ioApics, expected) => {
    expect(createPc({ ioApics }).router.pickGsi(mask)).toBe(expected);
    // As a signed number too: what an AND of 32 bits makes of it.
    expect(createPc({ ioApics }).router.pickGsi(mask | 0)).toBe(expected);
  });
});
