/** Stands for the acknowledgement of a request that was restored, until its source reclaims it; if none does, nobody waits. */
export const UNCLAIMED = (): void => undefined;
