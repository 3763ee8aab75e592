/** Ports: who writes what to whom, and whether each port is one thing only. */
import type { ChannelFile, InputFile } from './define.ts';
import { NAME_FORM, NAME_MAX, QUEUE_BYTES_MAX } from './limits.ts';
import { showPath, suggestion, type PathPart, type Report } from './problem.ts';

/** Of "partition.port", or of "partition", whose port has the channel's name. */
export function portNames(text: string, channel: string): { readonly partition: string; readonly port: string } {
  const dot = text.indexOf('.');
  return dot < 0 ? { partition: text, port: channel } : { partition: text.slice(0, dot), port: text.slice(dot + 1) };
}

interface Use {
  readonly path: readonly PathPart[];
  readonly direction: 'written' | 'read';
  readonly kind: 'sampling' | 'queuing';
}

export interface NamedChannel {
  readonly name: string;
  readonly file: ChannelFile<string>;
}
export interface NamedInput {
  readonly name: string;
  readonly file: InputFile<string>;
}

export function checkChannels(
  channels: readonly NamedChannel[],
  inputs: readonly NamedInput[],
  partitions: readonly string[],
  report: Report,
): void {
  const uses = new Map<string, Use[]>();

  function use(text: string, name: string, use: Use): void {
    const { partition, port } = portNames(text, name);
    if (!partitions.includes(partition)) {
      report(use.path, `there is no partition ${JSON.stringify(partition)}${suggestion(partition, partitions)}`);
      return;
    }
    if (!NAME_FORM.test(port) || port.length > NAME_MAX) {
      report(use.path, `${JSON.stringify(port)} is no port's name: expected a letter, then letters, digits, - or _, at most ${NAME_MAX}`);
      return;
    }
    const key = `${partition}.${port}`;
    const earlier = uses.get(key) ?? [];
    uses.set(key, [...earlier, use]);
    const first = earlier[0];
    if (!first) return;
    const where = showPath(first.path);
    const way =
      first.kind !== use.kind
        ? `is a ${first.kind} port by ${where}, and a ${use.kind} one here`
        : first.direction !== use.direction
          ? `is ${first.direction} by ${where}, and ${use.direction} here: a port has one direction`
          : use.direction === 'read'
            ? `has two writers: it is also the end of ${where}`
            : `is named twice: it also writes ${where}; one channel may have several readers`;
    report(use.path, `the port ${key} ${way}. Give it another name here, such as '${partition}.${port}2'`);
  }

  for (const { name, file } of channels) {
    const path = ['channels', name];
    use(file.from, name, { path: [...path, 'from'], direction: 'written', kind: file.kind });
    file.to.forEach((to, index) => use(to, name, { path: [...path, 'to', index], direction: 'read', kind: file.kind }));
    if (file.kind === 'queuing' && file.size * file.depth > QUEUE_BYTES_MAX) {
      report(
        [...path, 'depth'],
        `${file.depth} messages of ${file.size} bytes are more than the ${QUEUE_BYTES_MAX} bytes that a channel may hold`,
      );
    }
  }
  const [firstInput] = inputs;
  for (const { name, file } of inputs) {
    const path = ['inputs', name];
    use(file.to, name, { path: [...path, 'to'], direction: 'read', kind: 'queuing' });
    if (channels.some((channel) => channel.name === name)) report(path, `there is a channel of this name: give one of them another`);
    if (firstInput!.name !== name)
      report([...path, 'source'], `the real-time clock is taken by inputs.${firstInput!.name}: it has one rate only`);
  }
}
