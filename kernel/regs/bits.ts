/** A register's bit `n`, 0 to 30. */
export const bit = (n: number): number => 1 << n;

/** A field of a register: `width` bits (1 to 31) from bit `shift` on. */
export interface Field {
  readonly shift: number;
  readonly mask: number;
}
export const field = (shift: number, width: number): Field => ({ shift, mask: (1 << width) - 1 });
export const getField = (value: number, { shift, mask }: Field): number => (value >>> shift) & mask;
