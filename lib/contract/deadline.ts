import { clearTimeout, setTimeout } from './clock.js';

/**
 * Runs `operation` and rejects with `onTimeout()` if it has not settled after `timeoutMs`. A synchronous throw is a
 * rejection; what comes after the deadline is ignored. The timer never keeps the process alive.
 */
export function withDeadline<T>(
  operation: () => PromiseLike<T>,
  timeoutMs: number,
  onTimeout: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(onTimeout()), timeoutMs);
    timer.unref();
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      reject(error);
    };
    try {
      operation().then((value) => {
        clearTimeout(timer);
        resolve(value);
      }, fail);
    } catch (error) {
      fail(error);
    }
  });
}
