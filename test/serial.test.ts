import { mkdtemp } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseLine } from '../kernel/trace/text.ts';
import { boot } from '../tools/harness/boot.ts';
import '../tools/harness/matchers.ts';

it('COM1 alone tells a person what happens', async () => {
  const run = await boot({ append: 'count=20' });
  const shown = run.serial.split('\n').filter((line) => parseLine(line).kind === 'record');
  expect(run.serial).toContain('# chronovisor-trace 1');
  expect(shown.join('\n')).toMatch(/machine\.frequency clock=tsc/);
  expect(shown.join('\n')).toMatch(/timer\.interval timer=lapic/);
  expect(shown.at(-1)).toMatch(/kernel\.exit code=0x10 reason=done$/);
  // Down to info; single interrupts are for the trace channel.
  expect(shown.join('\n')).not.toContain('timer.interrupt ');
});

it('the trace over COM1 has the records that the channel has', async () => {
  const options = { append: 'count=20 serial=debug' };
  const [channel, serial] = await Promise.all([boot(options), boot({ ...options, traceChannel: false })]);
  expect(serial).toHold();
  expect(serial.records.map(({ event }) => event)).toEqual(channel.records.map(({ event }) => event));
  expect(serial.of('timer.interrupt').map(({ fields }) => fields.index)).toEqual(
    channel.of('timer.interrupt').map(({ fields }) => fields.index),
  );
});

it('an absent UART is reported, and nothing waits for it', async () => {
  const run = await boot({ com1: 'none', append: 'count=20' });
  expect(run).toHold();
  expect(run.of('machine.absent', ({ device }) => device === 'uart')).toHaveLength(1);
});

it('neither output device: the run still ends by itself', async () => {
  const run = await boot({ com1: 'none', traceChannel: false, append: 'count=20', seconds: 30 });
  expect(run).toHold();
  expect(run.lines).toEqual([]);
});

describe('a terminal that takes nothing', () => {
  let folder = '';
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chronovisor-test-'));
    server = createServer((socket) => {
      socket.pause();
      sockets.push(socket);
    });
    await new Promise<void>((done) => server.listen(join(folder, 'com1'), done));
  });
  afterEach(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('does not hang the kernel', async () => {
    // 3 x 1,000 lines of some 110 bytes: more than the socket's buffer.
    const run = await boot({ com1: { socket: join(folder, 'com1') }, append: 'serial=debug', seconds: 60, name: 'stuck-com1' });
    expect(run).toHold();
    expect(run.of('timer.interrupt')).toHaveLength(3000);
  });
});
