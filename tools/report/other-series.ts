/** Series of single events that belong to no timer, slot or port: edges of outputs, dated bytes, exits, garbage collections. */
import { exitName } from '../../kernel/trace/exit-names.ts';
import type { Accumulator } from './accumulator.ts';
import { createSamples, namedSeries, type NamedSeries, type Quantity, type Samples } from './samples.ts';
import type { System } from './system.ts';

export function createOtherSeries(system: Pick<System, 'nameOf'>): Accumulator<NamedSeries[]> {
  const series = new Map<string, { readonly quantity: Quantity; readonly subject: string; readonly samples: Samples }>();

  function samplesOf(quantity: Quantity, subject: string): Samples {
    const key = `${quantity} ${subject}`;
    let own = series.get(key);
    if (!own) series.set(key, (own = { quantity, subject, samples: createSamples() }));
    return own.samples;
  }

  return {
    push: (record, line) => {
      switch (record.event) {
        case 'output.edge': {
          const { output, nominal, written } = record.fields;
          samplesOf('output.lateness', output).push(Number(written - nominal), line, record.at);
          break;
        }
        case 'byte.received': {
          const { source, taken, dated } = record.fields;
          // A byte that came with others has no stub of its own.
          if (dated) samplesOf('interrupt.latency', source).push(Number(record.at - taken), line, record.at);
          break;
        }
        case 'exit': {
          const { partition, code, took } = record.fields;
          samplesOf('exit.took', `${system.nameOf(partition)}/${exitName(code)}`).push(Number(took), line, record.at);
          break;
        }
        case 'gc':
          samplesOf('gc.duration', `cpu${record.cpu}`).push(Number(record.fields.duration), line, record.at);
          break;
        default:
      }
    },
    result: () => [...series.values()].flatMap(({ quantity, subject, samples }) => namedSeries(quantity, subject, samples)),
  };
}
