/** How the program ends; the README's table of exit codes. */
export const STATUS = { HELD: 0, FAILED: 1, USAGE: 2, CANNOT_RUN: 3, TIME_LIMIT: 124, INTERRUPTED: 130 } as const;

/** Something outside the product is missing or wrong: said in one message that names what, where and the next step. */
export class CannotRunError extends Error {
  readonly status = STATUS.CANNOT_RUN;
}

/** What was asked for makes no sense. */
export class UsageError extends Error {
  readonly status = STATUS.USAGE;
}

/** The user's own code is wrong: a bundle that does not build. */
export class BuildError extends Error {
  readonly status = STATUS.FAILED;
}
