/** How accesses to devices are dated: what the measuring code sees of the machine (Shims satisfies it). */
export interface AccessStamps {
  /** TSC right after the last access to a device. */
  accessTsc(): bigint;
  /** TSC ticks that the access took: more than usual if something held it up. */
  accessTicks(): number;
}

/** The same, with the TSC itself. */
export interface Stamps extends AccessStamps {
  rdtsc(): bigint;
}
