/** Ports: the partition's ends of the channels that the system file names. */
import { ERROR, HYPERCALL, LINE, PORT_VALID } from '../../kernel/partition/abi.ts';
import { encodeUtf8 } from '../../kernel/trace/utf8.ts';
import { HypercallError } from './errors.ts';
import type { EventLoop } from './events.ts';
import type { Hypervisor, SharedMemory } from './hypervisor.ts';

/** The sending end of a sampling or a queuing channel. */
export interface PortWriter {
  /** What the next write sends: fill it first. As long as the largest message. */
  readonly view: DataView;
  /** Sends the first `length` bytes of the view. False if a queue is full. HypercallError for everything else. */
  write(length: number): boolean;
}

/** The receiving end of a sampling channel: the last message, over and over. */
export interface SamplingReader {
  /** Its bytes, or undefined if nothing was written yet. Holds until the next read. */
  read(): DataView | undefined;
  /** Whether the message that was read last was within its validity then. */
  isValid(): boolean;
}

/** The receiving end of a queuing channel: each message once. */
export interface QueuingReader {
  /** The oldest message, or undefined if there is none. Holds until the next read. */
  read(): DataView | undefined;
  /** Calls back for each message, now and as they arrive. From then on, read() is not to be called. */
  onMessage(callback: (message: DataView) => void): void;
}

export interface Ports {
  /** HypercallError (NONE) if the partition has no port of that name. `size`: of the largest message in bytes. */
  writer(name: string, size: number): PortWriter;
  sampling(name: string, size: number): SamplingReader;
  queuing(name: string, size: number): QueuingReader;
}

const LENGTH_MASK = PORT_VALID - 1;

export function createPorts(hypervisor: Hypervisor, memory: SharedMemory, events: EventLoop): Ports {
  const arrivals: (() => void)[] = [];
  let isConnected = false;

  function open(name: string): number {
    const bytes = encodeUtf8(name);
    const { address, buffer } = memory.allocate(Math.max(bytes.length, 1));
    new Uint8Array(buffer).set(bytes);
    hypervisor.call(HYPERCALL.PORT_OPEN, address, bytes.length, 0, 0, () => `port ${name}`);
    return hypervisor.value();
  }

  function createReader(name: string, size: number): { read: () => DataView | undefined; isValid: () => boolean } {
    const port = open(name);
    const { address, buffer } = memory.allocate(size);
    let view = new DataView(buffer);
    let isValid = false;
    return {
      read: () => {
        const status = hypervisor.attempt(HYPERCALL.PORT_READ, port, address, size);
        if (status === ERROR.EMPTY) return undefined;
        if (status !== ERROR.OK) throw new HypercallError(HYPERCALL.PORT_READ, status, `port ${name}, room ${size}`);
        const value = hypervisor.value();
        const length = value & LENGTH_MASK;
        isValid = (value & PORT_VALID) !== 0;
        // Messages mostly have one length: the view is made anew only when it changes.
        if (view.byteLength !== length) view = new DataView(buffer, 0, length);
        return view;
      },
      isValid: () => isValid,
    };
  }

  return {
    writer: (name, size) => {
      const port = open(name);
      const { address, buffer } = memory.allocate(size);
      return {
        view: new DataView(buffer),
        write: (length) => {
          if (length > size) throw new RangeError(`port ${name}: message of ${length} bytes: the port was opened for ${size}`);
          const status = hypervisor.attempt(HYPERCALL.PORT_WRITE, port, address, length);
          if (status === ERROR.OK) return true;
          // Too long a message has the same status, but was never a message of this channel.
          if (status === ERROR.FULL) return false;
          throw new HypercallError(HYPERCALL.PORT_WRITE, status, `port ${name}, ${length} bytes`);
        },
      };
    },
    sampling: createReader,
    queuing: (name, size) => {
      const { read } = createReader(name, size);
      return {
        read,
        onMessage: (callback) => {
          function drain(): void {
            for (let message = read(); message; message = read()) callback(message);
          }
          arrivals.push(drain);
          if (!isConnected) {
            isConnected = true;
            // One line for all ports, raised when a message comes to an empty queue: so each is emptied.
            events.on(LINE.PORT, () => {
              for (const arrived of arrivals) arrived();
            });
          }
          drain();
        },
      };
    },
  };
}
