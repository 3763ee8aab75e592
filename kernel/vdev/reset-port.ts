/**
 * Two ways in which a PC's software resets it: the keyboard controller's command FEh at port 64h, and the reset control register at CF9h (Intel
 * 82371SB PIIX3). Not modelled: keyboard, mouse and all else of the controller; its status says that nothing waits in either direction.
 */
import { KEYBOARD_CONTROLLER, RESET_CONTROL } from '../regs/reset-control.ts';
import { bytePorts } from './byte-ports.ts';
import type { OnMisuse, PortDevice, Savable } from './device.ts';

export interface ResetPorts extends Savable<number> {
  /** Port 64h. */
  readonly keyboardController: PortDevice;
  /** Port CF9h. */
  readonly resetControl: PortDevice;
}

/** @param onReset the guest resets its machine; `isHard`: all of it, not the CPU alone */
export function createResetPorts(onReset: (isHard: boolean) => void, onMisuse: OnMisuse): ResetPorts {
  let control = 0;
  return {
    keyboardController: bytePorts(
      'keyboard controller',
      1,
      () => 0,
      (_offset, value) => {
        if ((value & KEYBOARD_CONTROLLER.PULSE) !== KEYBOARD_CONTROLLER.PULSE) onMisuse('keyboard controller: a command it lacks', 0, 1);
        else if ((value & KEYBOARD_CONTROLLER.RESET_LINE) === 0) onReset(false);
      },
      onMisuse,
    ),
    resetControl: bytePorts(
      'reset control',
      1,
      () => control,
      (_offset, value) => {
        const before = control;
        control = value & RESET_CONTROL.WRITABLE;
        // "RCPU: a transition from 0 to 1".
        if ((control & ~before & RESET_CONTROL.RCPU) !== 0) onReset((control & RESET_CONTROL.SRST) !== 0);
      },
      onMisuse,
    ),
    save: () => control,
    restore: (state) => {
      control = state;
    },
  };
}
