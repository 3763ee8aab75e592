import { describe, expect, it } from 'vitest';
import { createRandom } from '../testing/random.ts';
import { createDeadlineQueue, NOT_QUEUED, type QueueEntry } from './deadline-queue.ts';
import { instant } from './units.ts';

const createEntry = (due: number, order: number): QueueEntry => ({ due: instant(BigInt(due)), order, place: NOT_QUEUED });

function drain<Entry extends QueueEntry>(queue: ReturnType<typeof createDeadlineQueue<Entry>>): Entry[] {
  const drained: Entry[] = [];
  for (let entry = queue.head(); entry !== undefined; entry = queue.head()) {
    queue.dequeue(entry);
    drained.push(entry);
  }
  return drained;
}

const sorted = <Entry extends QueueEntry>(entries: Iterable<Entry>): Entry[] =>
  [...entries].sort((a, b) => Number(a.due - b.due) || a.order - b.order);

describe('the deadline queue', () => {
  it('has no head when it is empty, at first and after the last entry', () => {
    const queue = createDeadlineQueue();
    expect(queue.head()).toBeUndefined();
    const entry = createEntry(5, 0);
    queue.enqueue(entry);
    expect([queue.head(), queue.size()]).toEqual([entry, 1]);
    queue.dequeue(entry);
    expect([queue.head(), queue.size(), entry.place]).toEqual([undefined, 0, NOT_QUEUED]);
  });

  it.each([1, 2, 3])('keeps its order through any sequence of verbs (seed %i)', (seed) => {
    const random = createRandom(seed);
    const queue = createDeadlineQueue();
    const queued: QueueEntry[] = [];
    let order = 0;
    for (let step = 0; step < 20_000; step++) {
      const verb = random.integer(8);
      const index = random.integer(queued.length);
      if (verb < 4 || queued.length === 0) {
        const entry = createEntry(random.integer(100), order++);
        queue.enqueue(entry);
        queued.push(entry);
      } else if (verb < 6) {
        const entry = queued[index]!;
        entry.due = instant(BigInt(random.integer(100)));
        entry.order = order++;
        queue.reorder(entry);
      } else {
        // As often the head as one from the middle, so that the queue stays short and its corners are met.
        const entry = verb === 6 ? queue.head()! : queued[index]!;
        queue.dequeue(entry);
        queued.splice(queued.indexOf(entry), 1);
        if (random.integer(100) === 0) for (const rest of queued.splice(5)) queue.dequeue(rest);
      }
      let least = queued[0];
      for (const entry of queued) if (entry.due < least!.due || (entry.due === least!.due && entry.order < least!.order)) least = entry;
      // expect takes its time even when it has nothing to say.
      if (queue.head() !== least || queue.size() !== queued.length) expect([queue.head(), queue.size()]).toEqual([least, queued.length]);
    }
    expect(drain(queue)).toEqual(sorted(queued));
  });

  it('looks at about log n entries when one of 100,000 is taken out, and leaves none of them behind', () => {
    const random = createRandom(1);
    const queue = createDeadlineQueue();
    let looks = 0;
    const entries = Array.from({ length: 100_000 }, (_, order) => {
      const due = instant(BigInt(random.integer(1_000_000_000)));
      return {
        get due() {
          looks++;
          return due;
        },
        order,
        place: NOT_QUEUED,
      };
    });
    let most = 0;
    const looksOf = (verb: () => void): void => {
      looks = 0;
      verb();
      most = Math.max(most, looks);
    };
    for (const entry of entries) looksOf(() => queue.enqueue(entry));
    for (let index = 0; index < entries.length; index += 2) looksOf(() => queue.dequeue(entries[index]!));
    // Two children at each of 16 levels, and the entry itself for either direction.
    expect(most).toBeLessThanOrEqual(2 * 16 + 3);
    expect(queue.size()).toBe(50_000);
    expect(drain(queue).map(({ order }) => order)).toEqual(sorted(entries.filter((_, index) => index % 2 === 1)).map(({ order }) => order));
  });
});
