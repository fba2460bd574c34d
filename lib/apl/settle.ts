import type { MaybePromise } from '../util/maybe-promise.js';

/** Yields the promises of plugins, and is resumed with their answers. */
export type Steps<Result> = Generator<PromiseLike<unknown>, Result, unknown>;

/** Runs steps to their end: synchronously, unless one waits for a promise. */
export function settle<Result>(steps: Steps<Result>): MaybePromise<Result> {
  const first = steps.next();
  return first.done ? first.value : settleLater(steps, first.value);
}

async function settleLater<Result>(steps: Steps<Result>, pending: PromiseLike<unknown>): Promise<Result> {
  let next: IteratorResult<PromiseLike<unknown>, Result> = { done: false, value: pending };
  while (!next.done) {
    const resume: () => typeof next = await Promise.resolve(next.value).then(
      (value) => () => steps.next(value),
      (error: unknown) => () => steps.throw(error),
    );
    next = resume();
  }
  return next.value;
}
