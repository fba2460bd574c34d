/** Whether an answer must be waited for. Most need not be, and each wait is a turn of the promise queue. */
export function isPromiseLike<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof (answer as PromiseLike<T> | null | undefined)?.then === 'function';
}
