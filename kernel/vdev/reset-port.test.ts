import { describe, expect, it } from 'vitest';
import { RESET_CONTROL } from '../regs/reset-control.ts';
import { createResetPorts } from './reset-port.ts';

function create() {
  const resets: boolean[] = [];
  const misuses: string[] = [];
  const ports = createResetPorts(
    (isHard) => resets.push(isHard),
    (what) => misuses.push(what),
  );
  return { ports, resets, misuses };
}

describe('the keyboard controller', () => {
  it.each([0xfe, 0xf0, 0xfc])('resets the CPU by command %i, which pulses its line', (command) => {
    const { ports, resets } = create();
    ports.keyboardController.write(0, 1, command);
    expect(resets).toEqual([false]);
  });

  it('does nothing by a pulse of other lines', () => {
    const { ports, resets, misuses } = create();
    ports.keyboardController.write(0, 1, 0xfd);
    ports.keyboardController.write(0, 1, 0xff);
    expect([resets, misuses]).toEqual([[], []]);
  });

  it('has no other command: each is counted', () => {
    const { ports, resets, misuses } = create();
    for (const command of [0x20, 0xaa, 0xd1]) ports.keyboardController.write(0, 1, command);
    expect([resets, misuses.length]).toEqual([[], 3]);
  });

  it('has nothing that waits', () => {
    expect(create().ports.keyboardController.read(0, 1)).toBe(0);
  });
});

describe('the reset control register', () => {
  it('resets when RCPU goes from 0 to 1, as hard as SRST says', () => {
    const { ports, resets } = create();
    const { write } = ports.resetControl;
    write(0, 1, RESET_CONTROL.SRST);
    write(0, 1, RESET_CONTROL.SRST | RESET_CONTROL.RCPU);
    write(0, 1, RESET_CONTROL.RCPU);
    write(0, 1, 0);
    write(0, 1, RESET_CONTROL.RCPU);
    expect(resets).toEqual([true, false]);
  });

  it('reads back its two bits, also after a restore', () => {
    const { ports } = create();
    ports.resetControl.write(0, 1, 0xff);
    expect(ports.resetControl.read(0, 1)).toBe(RESET_CONTROL.SRST | RESET_CONTROL.RCPU);
    const other = create();
    other.ports.restore(ports.save());
    other.ports.resetControl.write(0, 1, RESET_CONTROL.RCPU);
    expect(other.resets).toEqual([]);
  });

  it('is one byte: what is beside it is counted, and all ones', () => {
    const { ports, misuses, resets } = create();
    expect(ports.resetControl.read(0, 4)).toBe(0xffff_ff00);
    ports.resetControl.write(0, 2, 0x0600);
    expect([misuses.length, resets]).toEqual([2, []]);
  });
});
