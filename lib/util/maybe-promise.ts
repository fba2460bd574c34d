/** A value, or a promise of it. */
export type MaybePromise<T> = T | PromiseLike<T>;

/** Whether a value must be awaited. */
export function isPromiseLike<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === 'function';
}

/** Handles the rejection of a promise that is not awaited. An unhandled rejection ends the process. */
export function ignoreRejection(value: unknown): void {
  if (isPromiseLike(value)) Promise.resolve(value).catch(() => {});
}

/** Calls `next` with the value: synchronously if it is not a promise, because a wait costs time and most values are ready. */
export function whenSettled<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
  onError?: (error: unknown) => MaybePromise<R>,
): MaybePromise<R> {
  // a thenable of another library may call back synchronously or twice; a promise never does
  return isPromiseLike(value) ? Promise.resolve(value).then(next, onError) : next(value);
}
