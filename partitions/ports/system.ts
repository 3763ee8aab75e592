/**
 * Both kinds of ports: the last sample with its validity, and messages in order. In each frame the reader has one slot after the writer's, in
 * which the sample is fresh, and one so late that it is not valid any more.
 */
import { defineSystem, mib, ms, typescript } from '../define.ts';

export default defineSystem({
  name: 'ports',
  partitions: {
    writer: { program: typescript('writer.ts'), memory: mib(16) },
    reader: { program: typescript('reader.ts'), memory: mib(16) },
  },
  plans: {
    normal: {
      majorFrame: ms(25),
      slots: [
        { partition: 'writer', start: ms(0), duration: ms(5) },
        { partition: 'reader', start: ms(5), duration: ms(5) },
        { partition: 'reader', start: ms(20), duration: ms(5) },
      ],
      idle: 'allowed',
    },
  },
  channels: {
    sample: { kind: 'sampling', size: 16, validity: ms(15), from: 'writer', to: ['reader'] },
    queue: { kind: 'queuing', size: 16, depth: 4, from: 'writer', to: ['reader'] },
  },
  duration: ms(600),
});
