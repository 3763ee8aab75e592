/**
 * Ports: one writer to one or several readers. A sampling port has the last message, valid for so long; a queuing port has them in order,
 * each reader a queue of its own.
 */
import { ERROR, LINE, PORT_VALID } from './abi.ts';
import type { Partition } from './partition.ts';
import type { ChannelDescription, InputDescription, PortEnd } from './system.ts';

/** What a partition sees of one end of a channel. */
export interface Port {
  /** Copies a message out of the writer's memory. @returns ERROR.x */
  write(memory: Uint8Array, address: number, length: number, now: bigint): number;
  /** Copies one into the reader's memory. @returns its length (and PORT_VALID), or ERROR.x */
  read(memory: Uint8Array, address: number, room: number, now: bigint): number;
}

export interface Ports {
  /** @returns the number of the partition's port of that name, undefined if it has none */
  open(partition: number, name: string): number | undefined;
  find(partition: number, port: number): Port | undefined;
  /** Puts an instant into an input's queue. */
  deliver(input: number, instant: bigint): void;
  /** Messages that found their queue full. */
  lost(): number;
}

/** A bounded queue of messages in one block of memory. */
function createQueue(size: number, depth: number) {
  const bytes = new Uint8Array(size * depth);
  const lengths = new Int32Array(depth);
  let first = 0;
  let count = 0;
  return {
    isEmpty: () => count === 0,
    isFull: () => count === depth,
    push: (source: Uint8Array, address: number, length: number): void => {
      const slot = (first + count) % depth;
      bytes.set(source.subarray(address, address + length), slot * size);
      lengths[slot] = length;
      count++;
    },
    /** @returns length of the message; -1 if the room is too small for it */
    pull: (target: Uint8Array, address: number, room: number): number => {
      const length = lengths[first]!;
      if (length > room) return -1;
      target.set(bytes.subarray(first * size, first * size + length), address);
      first = (first + 1) % depth;
      count--;
      return length;
    },
  };
}

type Queue = ReturnType<typeof createQueue>;

export function createPorts(
  channels: readonly ChannelDescription[],
  inputs: readonly InputDescription[],
  partitions: readonly Partition[],
): Ports {
  const ends = new Map<number, Map<string, number>>();
  const ports: { partition: number; port: Port }[] = [];
  let lost = 0;

  function add({ partition, port: name }: PortEnd, port: Port): void {
    let names = ends.get(partition);
    if (!names) ends.set(partition, (names = new Map<string, number>()));
    names.set(name, ports.length);
    ports.push({ partition, port });
  }

  const unreadable = { read: (): number => ERROR.STATE };
  const unwritable = { write: (): number => ERROR.STATE };

  /** A message at a queue that was empty is told to its reader. */
  function pushTo(queue: Queue, reader: number, source: Uint8Array, address: number, length: number): void {
    if (queue.isEmpty()) partitions[reader]!.interrupts.raise(LINE.PORT);
    queue.push(source, address, length);
  }

  function addReader(end: PortEnd, queue: Queue): void {
    add(end, {
      ...unwritable,
      read: (memory, address, room) => {
        if (queue.isEmpty()) return ERROR.EMPTY;
        const length = queue.pull(memory, address, room);
        return length < 0 ? ERROR.FULL : length | PORT_VALID;
      },
    });
  }

  for (const channel of channels) {
    const { size } = channel;
    if (channel.kind === 'sampling') {
      const message = new Uint8Array(size);
      const validity = BigInt(channel.validity);
      let length = 0;
      let written: bigint | undefined;
      add(channel.from, {
        ...unreadable,
        write: (memory, address, count, now) => {
          if (count > size) return ERROR.FULL;
          message.set(memory.subarray(address, address + count));
          length = count;
          written = now;
          return ERROR.OK;
        },
      });
      for (const end of channel.to)
        add(end, {
          ...unwritable,
          read: (memory, address, room, now) => {
            if (written === undefined) return ERROR.EMPTY;
            if (length > room) return ERROR.FULL;
            memory.set(message.subarray(0, length), address);
            return length | (validity === 0n || now - written <= validity ? PORT_VALID : 0);
          },
        });
    } else {
      const queues = channel.to.map((end) => ({ end, queue: createQueue(size, channel.depth) }));
      add(channel.from, {
        ...unreadable,
        write: (memory, address, count) => {
          if (count > size) return ERROR.FULL;
          // To all or to none: the writer can say it again.
          if (queues.some(({ queue }) => queue.isFull())) {
            lost++;
            return ERROR.FULL;
          }
          for (const { end, queue } of queues) pushTo(queue, end.partition, memory, address, count);
          return ERROR.OK;
        },
      });
      for (const { end, queue } of queues) addReader(end, queue);
    }
  }

  const instantBytes = new Uint8Array(8);
  const instants = new BigInt64Array(instantBytes.buffer);
  const inputQueues = inputs.map(({ depth, to }) => {
    const queue = createQueue(8, depth);
    addReader(to, queue);
    return { queue, reader: to.partition };
  });

  return {
    open: (partition, name) => ends.get(partition)?.get(name),
    find: (partition, port) => {
      const found = ports[port];
      return found?.partition === partition ? found.port : undefined;
    },
    deliver: (input, instant) => {
      const { queue, reader } = inputQueues[input]!;
      if (queue.isFull()) {
        lost++;
        return;
      }
      instants[0] = instant;
      pushTo(queue, reader, instantBytes, 0, 8);
    },
    lost: () => lost,
  };
}
