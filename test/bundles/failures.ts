/** Ways to end badly; the command line says which. */
import { EXIT } from '../../kernel/hw/exit.ts';
import type { Shims } from '../../kernel/hw/shims.ts';

const MSR_GS_BASE = 0xc000_0101;
const MSR_EFER = 0xc000_0080;
const EFER_NXE = 1n << 11n;
const LAPIC_ICR_LOW = 0xfee0_0300;
const ICR_NMI_SELF = 0x4_4400;

interface Node {
  readonly next: Node | undefined;
  readonly ballast: number[];
}

function innermost(value: unknown): never {
  throw new RangeError(`found ${String(value)} where nothing should be`);
}

function middle(): never {
  return innermost(42);
}

const FAILURES: Readonly<Record<string, (shims: Shims) => void>> = {
  throw: () => middle(),
  'throw-number': () => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- what is no Error has to be reported too
    throw 42;
  },
  loop: () => {
    for (;;);
  },
  idle: (shims) => {
    for (;;) shims.idle();
  },
  'exhaust-memory': () => {
    let chain: Node | undefined;
    for (;;) chain = { next: chain, ballast: new Array<number>(1000).fill(0.5) };
  },
  'huge-allocation': () => {
    new ArrayBuffer(2 ** 30);
  },
  'overflow-stack': () => {
    const down = (depth: number): number => down(depth + 1) + 1;
    down(0);
  },
  // The per-CPU data that the idle shim reads is then at an address that is not mapped.
  'page-fault': (shims) => {
    shims.wrmsr(MSR_GS_BASE, 0x2000_0000_0000n);
    shims.idle();
  },
  // The same at an address that is not canonical.
  'general-protection': (shims) => {
    shims.wrmsr(MSR_GS_BASE, 0x1234_0000_0000_0000n);
    shims.idle();
  },
  // CR4.OSFXSR off: the next SSE instruction is invalid, those of the report included.
  'invalid-opcode': (shims) => {
    shims.writeCr(4, shims.readCr(4) & ~(1n << 9n));
    Math.sqrt(2.5 * shims.in8(0x61));
  },
  // Pages that are not executable are then pages with a reserved bit set, stacks among them.
  'triple-fault': (shims) => {
    shims.wrmsr(MSR_EFER, shims.rdmsr(MSR_EFER) & ~EFER_NXE);
    shims.writeCr(3, shims.readCr(3));
    shims.idle();
  },
  nmi: (shims) => {
    shims.mmioWrite32(LAPIC_ICR_LOW, ICR_NMI_SELF);
    for (;;);
  },
  'exit-failed': (shims) => shims.exit(EXIT.FAILED),
  'fall-off-the-end': () => undefined,
  'bad-mmio': (shims) => void shims.mmioRead32(0xfed0_0001),
  /** Both limits are survived, and say their figures. */
  survive: (shims) => {
    const seen: string[] = [];
    for (const name of ['exhaust-memory', 'overflow-stack', 'huge-allocation']) {
      try {
        FAILURES[name]!(shims);
      } catch (error) {
        seen.push(String(error));
      }
    }
    throw new Error(`survived: ${seen.join(' | ')}`);
  },
};

export function main(shims: Shims): void {
  const name = shims.commandLine().split(' ')[0]!;
  const failure = FAILURES[name];
  if (!failure) throw new Error(`there is no failure ${name}`);
  failure(shims);
}
