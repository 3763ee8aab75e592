/** Inputs: interrupts of devices, which reach a partition as dated messages. */
import { expect, it } from 'vitest';
import { boot } from '../../tools/harness/boot.ts';
import { createSystems, expectSlotsExact, traced } from './support.ts';

const systems = createSystems('inputs');

const EVENTS = 0;
/** Trace code of test/guests/event-latency.c. */
const LATENCY = 1n;
const HERTZ = 1024;
/**
 * Two frames are longer than a period by some microseconds: in the course of this many events each part of a frame has had one, and no event
 * comes where the guest is still busy with the one before. Before each slot the kernel idles: then nothing holds interrupts back while it waits
 * for the entry.
 */
const FRAME_US = 490;
const SLOT_US = 390;
const EVENT_COUNT = 300;
/** Too late in a slot for its handler (LEADS.EXIT), it waits for the next one, whose first exit is soon then; its handler and two entries. */
const LATENCY_MAX = 200_000n;

it('an event reaches its partition soon whenever it comes, though that never leaves by itself: while its entry is waited for, too', async () => {
  const system = systems.place(
    'events.ts',
    `import { defineSystem, kib, ms, native, us } from '../../../partitions/define.ts';
     export default defineSystem({
       name: 'events',
       partitions: {
         events: { program: native(['../../../test/guests/event-latency.c', '../../../partitions/native/start.S']), memory: kib(64) },
       },
       plans: { normal: { majorFrame: us(${FRAME_US}), idle: 'allowed', slots: [{ partition: 'events', start: ms(0), duration: us(${SLOT_US}) }] } },
       inputs: { events: { source: 'rtc', hertz: ${HERTZ}, depth: 16, to: 'events' } },
       duration: us(${FRAME_US * 2 * (EVENT_COUNT + 10)}),
     });\n`,
  );
  const run = await boot({ system, append: 'serial=off', name: 'inputs-events' });
  expectSlotsExact(run);
  // Those before came before the epoch.
  const latencies = traced(run, EVENTS, LATENCY).slice(-EVENT_COUNT);
  expect(latencies).toHaveLength(EVENT_COUNT);
  latencies.forEach((latency, index) => {
    const isSoon = latency >= 0n && latency < LATENCY_MAX;
    expect(isSoon, `event ${index + 1} reached its partition after ${latency} ns in ${run.log}`).toBe(true);
  });
});
