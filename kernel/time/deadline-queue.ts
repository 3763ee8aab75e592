/**
 * A queue of deadlines: a binary heap whose entries know their places, so that one is taken out of the middle without a
 * search. Four verbs: enqueue, dequeue, reorder, head.
 */
import type { Instant } from './units.ts';

/** What the queue reads and writes of an entry. `due` and `order` stay as they are while it is queued, but for `reorder`. */
export interface QueueEntry {
  /** The least comes first. */
  due: Instant;
  /** Of those due at the same instant, the least comes first. No two entries that are due together have the same. */
  order: number;
  /** Index in the heap; NOT_QUEUED outside. The queue's own. */
  place: number;
}

export const NOT_QUEUED = -1;

/** enqueue, dequeue and reorder take O(log n) steps, head and size one. Nothing is allocated but the heap's array as it grows. */
export interface DeadlineQueue<Entry extends QueueEntry> {
  /** The entry must not be queued. */
  enqueue(entry: Entry): void;
  /** The entry must be queued. */
  dequeue(entry: Entry): void;
  /** Puts a queued entry right whose `due` or `order` has just been changed. */
  reorder(entry: Entry): void;
  /** The entry that comes first; undefined if there is none. */
  head(): Entry | undefined;
  size(): number;
}

export function createDeadlineQueue<Entry extends QueueEntry>(): DeadlineQueue<Entry> {
  // Of the array only the first `size` are the heap. Counted by hand: in the interpreter push and pop are calls.
  const heap: (Entry | undefined)[] = [];
  let size = 0;

  /** Moves the hole at `place` towards the root until the entry fits into it. */
  function siftUp(entry: Entry, place: number): void {
    const due = entry.due;
    const order = entry.order;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = heap[parentPlace]!;
      const parentDue = parent.due;
      if (parentDue < due || (parentDue === due && parent.order < order)) break;
      heap[place] = parent;
      parent.place = place;
      place = parentPlace;
    }
    heap[place] = entry;
    entry.place = place;
  }

  /** Moves the hole at `place` towards the leaves until the entry fits into it. */
  function siftDown(entry: Entry, place: number): void {
    const due = entry.due;
    const order = entry.order;
    for (;;) {
      let childPlace = 2 * place + 1;
      if (childPlace >= size) break;
      let child = heap[childPlace]!;
      let childDue = child.due;
      if (childPlace + 1 < size) {
        const right = heap[childPlace + 1]!;
        const rightDue = right.due;
        if (rightDue < childDue || (rightDue === childDue && right.order < child.order)) {
          childPlace++;
          child = right;
          childDue = rightDue;
        }
      }
      if (due < childDue || (due === childDue && order < child.order)) break;
      heap[place] = child;
      child.place = place;
      place = childPlace;
    }
    heap[place] = entry;
    entry.place = place;
  }

  /** Into the hole at `place`, of which it is not known on which side of it the entry belongs. */
  function settle(entry: Entry, place: number): void {
    siftUp(entry, place);
    if (entry.place === place) siftDown(entry, place);
  }

  return {
    enqueue: (entry) => siftUp(entry, size++),
    dequeue: (entry) => {
      const place = entry.place;
      const last = heap[--size]!;
      // Not kept beyond its time in the queue: the collector could not free it.
      heap[size] = undefined;
      entry.place = NOT_QUEUED;
      if (last !== entry) settle(last, place);
    },
    reorder: (entry) => settle(entry, entry.place),
    head: () => (size === 0 ? undefined : heap[0]),
    size: () => size,
  };
}
