import { now } from './clock.js';

/** The last minute consists of this many slots, of which the oldest one is dropped as a whole. */
const SLOTS = 12;
const SLOT_MS = 5_000;
/** Buckets per doubling: the bounds of a bucket differ by a fifth. */
const STEPS = 4;
/** From 1 microsecond to about 17 minutes. */
const BUCKETS = 30 * STEPS;

interface Slot {
  /** Which five seconds since the start of the clock the slot counts. */
  number: number;
  count: number;
  maxMs: number;
  readonly buckets: Uint32Array;
}

/** The durations of the last minute, in a histogram of fixed size. */
export class LatencyWindow {
  readonly #slots: readonly Slot[] = Array.from({ length: SLOTS }, () => ({
    number: -1,
    count: 0,
    maxMs: 0,
    buckets: new Uint32Array(BUCKETS),
  }));

  record(durationMs: number, atMs = now()): void {
    const slot = this.#slotAt(Math.floor(atMs / SLOT_MS));
    slot.count += 1;
    if (durationMs > slot.maxMs) slot.maxMs = durationMs;
    const bucket = bucketOf(durationMs);
    slot.buckets[bucket] = (slot.buckets[bucket] ?? 0) + 1;
  }

  summary(atMs = now()): { count: number; p50Ms: number; p99Ms: number; maxMs: number } {
    const oldest = Math.floor(atMs / SLOT_MS) - SLOTS;
    const slots = this.#slots.filter(({ number, count }) => number > oldest && count > 0);
    const count = slots.reduce((sum, slot) => sum + slot.count, 0);
    const maxMs = slots.reduce((max, slot) => Math.max(max, slot.maxMs), 0);
    const percentile = (share: number): number => rounded(Math.min(percentileIn(slots, count * share), maxMs));
    return { count, p50Ms: percentile(0.5), p99Ms: percentile(0.99), maxMs: rounded(maxMs) };
  }

  #slotAt(number: number): Slot {
    const slot = this.#slots[number % SLOTS] as Slot;
    if (slot.number === number) return slot;
    slot.number = number;
    slot.count = 0;
    slot.maxMs = 0;
    slot.buckets.fill(0);
    return slot;
  }
}

function bucketOf(durationMs: number): number {
  const steps = Math.ceil(Math.log2(durationMs * 1_000) * STEPS);
  return steps > 0 ? Math.min(steps, BUCKETS - 1) : 0;
}

/** The upper bound of the bucket with the duration of this rank. */
function percentileIn(slots: readonly Slot[], rank: number): number {
  let seen = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    for (const { buckets } of slots) seen += buckets[bucket] ?? 0;
    if (seen >= rank) return 2 ** (bucket / STEPS) / 1_000;
  }
  return Number.POSITIVE_INFINITY;
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
