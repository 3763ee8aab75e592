import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['{kernel,tools,partitions,boot,test}/**/*.test.ts'],
    // A process each: what a test leaves behind dies with it. QEMU takes a core of its own.
    pool: 'forks',
    maxWorkers: availableParallelism(),
    // Each boot has a limit of its own in seconds (tools/harness/boot.ts); this is for what hangs around it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
  },
});
