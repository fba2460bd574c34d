import { setTimeout as delay } from 'node:timers/promises';

export interface Patience {
  readonly withinMs?: number;
  readonly everyMs?: number;
}

/** Repeats `check` until it neither throws nor returns `false`; at the deadline, throws what it threw last. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { withinMs = 5_000, everyMs = 10 }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await check();
      if (value !== false) return value;
      failure = new Error(`The condition did not become true within ${withinMs} ms.`);
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= deadline) throw failure;
    await delay(everyMs);
  }
}

/** The reason for which `promise` rejects; fails if it resolves. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error('Expected a rejection, but the promise resolved.');
}

/** What `call` throws; fails if it returns. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('Expected an exception, but the call returned.');
}
