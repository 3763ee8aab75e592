import { describe, expect, it } from 'vitest';
import { INTERCEPT_1, V_INTR, VMCB } from '../regs/vmcb.ts';
import { createFakeVcpu } from '../testing/guest.ts';
import { LINE } from './abi.ts';
import { createVirtualInterrupts, type InterruptController } from './virtual-interrupts.ts';

const VALID = 0x8000_0000;
const INTERRUPT = 0;
const NMI = 2 << 8;
const EXCEPTION = 3 << 8;
const SOFTWARE = 4 << 8;
const HAS_ERROR = 1 << 11;

function create(exceptions = 0, controller?: InterruptController) {
  const vcpu = createFakeVcpu({ mode: 'protected', entry: 0x4000 }, exceptions);
  const lines = createVirtualInterrupts(vcpu, controller);
  const view = new DataView(vcpu.vmcb.buffer);
  lines.enabled = -1;
  const guest = {
    lines,
    /** What goes in at the next entry, and its error code. */
    injected: () => view.getUint32(VMCB.EVENTINJ, true),
    error: () => view.getUint32(VMCB.EVENTINJ + 4, true),
    interruptedBy: () => view.getUint32(VMCB.EXITINTINFO, true),
    /** The guest has been entered: the CPU clears the field. */
    enter: () => view.setBigUint64(VMCB.EVENTINJ, 0n, true),
    interrupt: (event: number, error = 0) => {
      view.setUint32(VMCB.EXITINTINFO, event >>> 0, true);
      view.setUint32(VMCB.EXITINTINFO + 4, error, true);
    },
    setIf: (isSet: boolean) => view.setUint32(VMCB.RFLAGS, isSet ? 0x202 : 2, true),
    setShadow: (isSet: boolean) => view.setUint32(VMCB.INTERRUPT_SHADOW, isSet ? 1 : 0, true),
    /** Whether a #VMEXIT comes as soon as the guest can take an interrupt: request, whatever the priority, and its intercept. */
    hasWindow: () => {
      const control = view.getUint32(VMCB.V_INTR, true);
      const isRequested = (control & V_INTR.IRQ) !== 0;
      expect((view.getUint32(VMCB.INTERCEPT_1, true) & INTERCEPT_1.VINTR) !== 0).toBe(isRequested);
      expect(lines.isWindowOpen).toBe(isRequested);
      if (isRequested) expect(control & V_INTR.IGNORE_TPR).toBe(V_INTR.IGNORE_TPR);
      expect(control & V_INTR.MASKING).toBe(V_INTR.MASKING);
      return isRequested;
    },
  };
  guest.setIf(true);
  return guest;
}

describe('lines', () => {
  it('are not delivered before they are enabled, and wait', () => {
    const { lines, injected, hasWindow } = create();
    lines.enabled = 0;
    lines.raise(3);
    expect(lines.isDeliverable()).toBe(false);
    expect([lines.prepare(), injected(), hasWindow()]).toEqual(['usual', 0, false]);
    lines.enabled = 1 << 3;
    expect(lines.isDeliverable()).toBe(true);
    expect([lines.prepare(), injected(), hasWindow()]).toEqual(['usual', (VALID | INTERRUPT | 0x43) >>> 0, false]);
    expect(lines.isDeliverable()).toBe(false);
  });

  it.each([0, 1, 30, 31])('line %i comes as its vector, from the base on', (line) => {
    const { lines, injected } = create();
    lines.vectorBase = 0x80;
    lines.raise(line);
    lines.prepare();
    expect(injected()).toBe((VALID | (0x80 + line)) >>> 0);
    expect(lines.pending).toBe(0);
  });

  it('are edges: raised twice, delivered once', () => {
    const { lines, injected, enter } = create();
    lines.raise(5);
    lines.raise(5);
    lines.prepare();
    expect(injected()).not.toBe(0);
    enter();
    lines.prepare();
    expect(injected()).toBe(0);
  });

  it('go in one at an entry, the lowest first, with a window for the next', () => {
    const { lines, injected, enter, hasWindow } = create();
    for (const line of [31, 7, 12]) lines.raise(line);
    const seen = [7, 12, 31].map(() => {
      lines.prepare();
      const vector = injected() & 0xff;
      enter();
      return [vector - 0x40, hasWindow()];
    });
    expect(seen).toEqual([
      [7, true],
      [12, true],
      [31, false],
    ]);
    lines.prepare();
    expect([injected(), hasWindow()]).toEqual([0, false]);
  });

  it('that are not enabled do not open a window behind one that is', () => {
    const { lines, hasWindow } = create();
    lines.enabled = 1 << 2;
    lines.raise(2);
    lines.raise(9);
    lines.prepare();
    expect(hasWindow()).toBe(false);
    expect(lines.pending).toBe(1 << 9);
  });
});

describe('a guest that can take none now', () => {
  it('with interrupts off is left as soon as it can', () => {
    const { lines, injected, setIf, hasWindow } = create();
    setIf(false);
    lines.raise(1);
    expect([lines.prepare(), injected(), hasWindow()]).toEqual(['usual', 0, true]);
    // Again and again, and nothing changes.
    expect([lines.prepare(), injected(), hasWindow()]).toEqual(['usual', 0, true]);
    setIf(true);
    expect([lines.prepare(), injected() & 0xff, hasWindow()]).toEqual(['usual', 0x41, false]);
  });

  it('does not keep a window that nothing waits for', () => {
    const { lines, setIf, hasWindow } = create();
    setIf(false);
    lines.raise(1);
    lines.prepare();
    lines.enabled = 0;
    lines.prepare();
    expect(hasWindow()).toBe(false);
  });

  it('in an interrupt shadow is entered for a short run, without a window: QEMU would end it before the shadow does', () => {
    const { lines, injected, setIf, setShadow, hasWindow } = create();
    setIf(false);
    lines.raise(1);
    lines.prepare();
    setIf(true);
    setShadow(true);
    expect([lines.prepare(), injected(), hasWindow()]).toEqual(['short', 0, false]);
    setShadow(false);
    expect([lines.prepare(), injected() & 0xff]).toEqual(['usual', 0x41]);
  });

  it('in a shadow, with nothing for it, runs on as usual', () => {
    const { lines, setShadow } = create();
    setShadow(true);
    expect(lines.prepare()).toBe('usual');
  });
});

describe('a delivery that an exit interrupted', () => {
  it('is made again, before any line', () => {
    const { lines, injected, error, interrupt, interruptedBy, hasWindow, enter } = create();
    interrupt(VALID | EXCEPTION | HAS_ERROR | 13, 0x18);
    lines.raise(0);
    expect(lines.prepare()).toBe('usual');
    expect([injected(), error(), interruptedBy(), hasWindow()]).toEqual([(VALID | EXCEPTION | HAS_ERROR | 13) >>> 0, 0x18, 0, true]);
    enter();
    lines.prepare();
    expect([injected() & 0xff, hasWindow()]).toEqual([0x40, false]);
  });

  it('of a line or an NMI is made again also while interrupts are off', () => {
    for (const event of [INTERRUPT | 0x47, NMI | 2]) {
      const { lines, injected, interrupt, setIf } = create();
      setIf(false);
      interrupt(VALID | event);
      lines.prepare();
      expect(injected()).toBe((VALID | event) >>> 0);
    }
  });

  it('gives way to what is to go in anyway', () => {
    const { lines, injected, interrupt, interruptedBy } = create();
    lines.injectException(6);
    interrupt(VALID | INTERRUPT | 0x44);
    lines.prepare();
    expect([injected(), interruptedBy()]).toEqual([(VALID | EXCEPTION | 6) >>> 0, 0]);
  });

  it('is none without the valid bit', () => {
    const { lines, injected, interrupt } = create();
    interrupt(EXCEPTION | 13);
    lines.prepare();
    expect(injected()).toBe(0);
  });

  it('of an INTn is left to the guest, which executes it again; where each is intercepted, RIP is behind it already', () => {
    for (const [exceptions, expected] of [
      [0, 0],
      [1 << 3, (VALID | SOFTWARE | 0x30) >>> 0],
    ] as const) {
      const { lines, injected, interrupt, interruptedBy } = create(exceptions);
      interrupt(VALID | SOFTWARE | 0x30);
      lines.prepare();
      expect([injected(), interruptedBy()]).toEqual([expected, 0]);
    }
  });
});

describe('an exception', () => {
  it('goes in with its error code, if it has one', () => {
    const { lines, injected, error } = create();
    expect(lines.injectException(6)).toBe(true);
    expect([injected(), error()]).toEqual([(VALID | EXCEPTION | 6) >>> 0, 0]);
    lines.injectException(14, 0xffff_ffff | 0);
    expect([injected(), error()]).toEqual([(VALID | EXCEPTION | HAS_ERROR | 14) >>> 0, 0xffff_ffff]);
    lines.injectException(13, 0);
    expect([injected(), error()]).toEqual([(VALID | EXCEPTION | HAS_ERROR | 13) >>> 0, 0]);
  });

  it('comes before any line', () => {
    const { lines, injected, enter, hasWindow } = create();
    lines.raise(4);
    lines.injectException(13, 0);
    lines.prepare();
    expect([injected() & 0xff, hasWindow()]).toEqual([13, true]);
    enter();
    lines.prepare();
    expect(injected() & 0xff).toBe(0x44);
  });

  it('lets a line whose delivery it interrupted wait', () => {
    const { lines, injected, interrupt, interruptedBy } = create();
    lines.vectorBase = 0x60;
    interrupt(VALID | INTERRUPT | 0x7f);
    lines.injectException(14, 2);
    expect([injected() & 0xff, interruptedBy(), lines.pending]).toEqual([14, 0, 1 << 31]);
    // Of a base that was changed meanwhile it is none.
    interrupt(VALID | INTERRUPT | 0x45);
    lines.injectException(14, 2);
    expect(lines.pending).toBe(1 << 31);
  });

  /** APM volume 2, table "Double-Fault Exception Conditions". */
  const BENIGN = [1, 3, 4, 5, 6, 7, 16, 17, 18, 19];
  const CONTRIBUTORY = [0, 10, 11, 12, 13];
  const outcome = (first: number, second: number): number => {
    if (BENIGN.includes(first) || BENIGN.includes(second)) return second;
    if (first === 8) return -1;
    if (first === 14) return 8;
    return second === 14 ? 14 : 8;
  };

  it('on top of another becomes what the manual says', () => {
    for (const first of [...BENIGN, ...CONTRIBUTORY, 8, 14])
      for (const second of [...BENIGN, ...CONTRIBUTORY, 14]) {
        const { lines, injected, error, interrupt } = create();
        interrupt(VALID | EXCEPTION | first, 0);
        const goesIn = lines.injectException(second, second === 14 ? 2 : undefined);
        const expected = outcome(first, second);
        const name = `${second} on ${first}`;
        expect(goesIn, name).toBe(expected !== -1);
        if (expected === -1) expect(injected(), name).toBe(0);
        else expect(injected() & 0xff, name).toBe(expected);
        if (expected === 8) expect([injected() & HAS_ERROR, error()], name).toEqual([HAS_ERROR, 0]);
      }
  });
});

it('a reset leaves nothing', () => {
  const { lines, injected, interrupt, interruptedBy, setIf, hasWindow } = create();
  setIf(false);
  lines.raise(3);
  lines.vectorBase = 0x80;
  lines.prepare();
  lines.injectException(13, 0);
  interrupt(VALID | EXCEPTION | 6);
  lines.reset();
  expect([lines.pending, lines.enabled, lines.vectorBase, hasWindow(), injected(), interruptedBy()]).toEqual([0, 0, 0x40, false, 0, 0]);
});

describe('the line of virtual interrupt controllers', () => {
  const CONTROLLER = 1 << LINE.CONTROLLER;

  /** A controller whose interrupts wait in a list. */
  function createController(...vectors: number[]) {
    return { vectors, isRequesting: () => vectors.length > 0, acknowledge: () => vectors.shift()! };
  }

  it('is enabled whatever the guest masks, and absent where there are no controllers', () => {
    const { lines } = create(0, createController(0x31));
    lines.setEnabled(1 << 3);
    expect(lines.enabled).toBe((1 << 3) | CONTROLLER);
    lines.reset();
    expect(lines.enabled).toBe(CONTROLLER);
    const { lines: without } = create();
    without.setEnabled(-1);
    expect(without.sense()).toBe(false);
    expect(without.pending).toBe(0);
  });

  it('follows what they ask for, and says when that changed', () => {
    const controller = createController(0x31);
    const { lines } = create(0, controller);
    expect([lines.sense(), lines.pending & CONTROLLER, lines.sense()]).toEqual([true, CONTROLLER, false]);
    controller.vectors.pop();
    expect([lines.sense(), lines.pending & CONTROLLER]).toEqual([true, 0]);
  });

  it('is acknowledged when it goes in, not before, with their vector', () => {
    const controller = createController(0x31, 0x32);
    const guest = create(0, controller);
    guest.lines.sense();
    guest.setIf(false);
    guest.lines.prepare();
    expect([guest.injected(), guest.hasWindow(), controller.vectors.length]).toEqual([0, true, 2]);
    guest.setIf(true);
    guest.lines.prepare();
    // The second one waits for the window behind the first.
    expect([guest.injected(), guest.hasWindow(), controller.vectors]).toEqual([(VALID | INTERRUPT | 0x31) >>> 0, true, [0x32]]);
    guest.enter();
    guest.lines.prepare();
    expect([guest.injected(), guest.hasWindow(), controller.vectors]).toEqual([(VALID | INTERRUPT | 0x32) >>> 0, false, []]);
  });

  it('loses none whose delivery an exception broke off: it goes in again, and they are not asked again', () => {
    const controller = createController(0x55);
    const guest = create(0, controller);
    guest.interrupt(VALID | INTERRUPT | 0x31);
    expect(guest.lines.injectException(14, 0)).toBe(true);
    guest.enter();
    guest.lines.prepare();
    expect([guest.injected(), controller.vectors]).toEqual([(VALID | INTERRUPT | 0x31) >>> 0, [0x55]]);
    guest.enter();
    guest.lines.prepare();
    expect([guest.injected(), controller.vectors]).toEqual([(VALID | INTERRUPT | 0x55) >>> 0, []]);
  });
});
