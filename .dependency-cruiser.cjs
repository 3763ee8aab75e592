/** Who may import whom: the layers of the README's "Layers". Checked by `make check` and by a test. */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'kernel-stands-alone',
      comment: 'The kernel runs on the bare machine: no Node, no packages, no tools.',
      severity: 'error',
      from: { path: '^kernel/', pathNot: '[.]test[.]ts$' },
      to: { pathNot: '^kernel/' },
    },
    {
      name: 'hardware-enters-through-the-composition-root',
      comment: 'Shims are made into narrow objects in machine.ts; drivers see only those.',
      severity: 'error',
      from: { path: '^kernel/(drivers|time|acpi|regs|trace)/', pathNot: '[.]test[.]ts$' },
      to: { path: '^kernel/hw/shims[.]ts$' },
    },
    {
      name: 'drivers-know-no-composition',
      severity: 'error',
      from: { path: '^kernel/(drivers|time|acpi|regs|trace|hw|interrupts)/', pathNot: '[.]test[.]ts$' },
      to: { path: '^kernel/(machine|main)[.]ts$|^kernel/(demonstration|console)/' },
    },
    {
      name: 'a-virtual-device-never-sees-a-real-one',
      comment: 'Virtual devices and their conformance cases know registers, time and each other.',
      severity: 'error',
      from: { path: '^kernel/vdev/', pathNot: '[.]test[.]ts$' },
      to: { path: '^kernel/', pathNot: '^kernel/(vdev|regs|time|testing/random[.]ts)' },
    },
    {
      name: 'tools-see-only-what-crosses-the-wire',
      comment:
        'The trace event and the description of a system are what crosses between kernel and tools; exit codes, version and ports are names, not types.',
      severity: 'error',
      from: { path: '^tools/', pathNot: '[.]test[.]ts$' },
      to: { path: '^kernel/', pathNot: '^kernel/(trace/|hw/exit[.]ts|version[.]ts|partition/(system|abi)[.]ts)' },
    },
    {
      name: 'a-system-file-needs-no-node',
      comment: 'A system file is evaluated by the tools, but its words are data: they bring in nothing else.',
      severity: 'error',
      from: { path: '^tools/system/define[.]ts$' },
      to: { pathNot: '^kernel/partition/(system|abi)[.]ts$' },
    },
    {
      name: 'system-files-know-their-words-only',
      comment: 'A system file knows the words that it is written in, and nothing else of the tools and the kernel.',
      severity: 'error',
      from: { path: '^partitions/(define|.*/system)[.]ts$' },
      to: { pathNot: '^partitions/|^tools/system/define[.]ts$' },
    },
    {
      name: 'promises-know-their-words-only',
      comment: 'A file of promises knows the words that it is written in, and those need no Node.',
      severity: 'error',
      from: { path: '^partitions/(promises|.*/promises)[.]ts$|^tools/promises/(define|judge)[.]ts$' },
      to: {
        pathNot:
          '^partitions/promises[.]ts$|^tools/promises/(define|judge)[.]ts$|^tools/(report/(samples|statistics)|system/define)[.]ts$|^kernel/trace/events[.]ts$',
      },
    },
    {
      name: 'programs-know-the-interface-only',
      comment: 'What runs in a partition sees its interface, the shims, and what has no state: units, calendar, UTF-8.',
      severity: 'error',
      from: { path: '^partitions/', pathNot: '[.]test[.]ts$|^partitions/(define|promises|.*/(system|promises))[.]ts$' },
      to: { pathNot: '^partitions/|^kernel/(partition/(abi|system)|hw/(shims|exit)|time/(units|calendar)|trace/utf8)[.]ts$' },
    },
    {
      name: 'registers-import-only-bits',
      severity: 'error',
      from: { path: '^kernel/regs/' },
      to: { pathNot: '^kernel/regs/bits[.]ts$' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(build|[.]cache)/' },
  },
};
