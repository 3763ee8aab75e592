/** How each kind of mark looks, and what it is called. */
import type { MarkKind } from './model.ts';
import type { Ink, Shape } from './surface.ts';

export interface MarkLook {
  readonly shape: Shape;
  readonly ink: Ink;
  readonly name: string;
}

export const MARK_LOOKS: Readonly<Record<MarkKind, MarkLook>> = {
  note: { shape: 'bar', ink: 'faint', name: 'note' },
  value: { shape: 'flat', ink: 'faint', name: 'value of a program' },
  nominal: { shape: 'up', ink: 'plan', name: 'nominal instant' },
  interrupt: { shape: 'down', ink: 'curve', name: 'interrupt' },
  output: { shape: 'right', ink: 'ink', name: 'output' },
  byte: { shape: 'square', ink: 'ink', name: 'byte' },
  console: { shape: 'left', ink: 'ink', name: 'console' },
  gc: { shape: 'hourglass', ink: 'caution', name: 'garbage collection' },
  plan: { shape: 'plus', ink: 'focus', name: 'plan switched' },
  state: { shape: 'square', ink: 'focus', name: 'state' },
  exit: { shape: 'up', ink: 'focus', name: 'exit' },
  injection: { shape: 'down', ink: 'focus', name: 'injection' },
  warning: { shape: 'hexagon', ink: 'caution', name: 'warning' },
  health: { shape: 'diamond', ink: 'alarm', name: 'health event' },
  error: { shape: 'cross', ink: 'alarm', name: 'error' },
};
