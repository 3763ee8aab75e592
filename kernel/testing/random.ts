/** Pseudo-random numbers from a seed (xorshift32, Marsaglia): a failing case is the same one at every run. */
export interface Random {
  /** 0 to `below` - 1. */
  integer(below: number): number;
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0 || 1;
  function next(): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  }
  // Small seeds start out with small numbers.
  for (let round = 0; round < 16; round++) next();
  const integer = (below: number): number => Math.floor((next() / 0x1_0000_0000) * below);
  return {
    integer,
    bytes: (length) => Uint8Array.from({ length }, () => integer(256)),
  };
}
