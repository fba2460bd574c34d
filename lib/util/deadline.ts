import { PatientTimer } from './patient-timer.js';

/**
 * Runs `operation` and rejects with `onTimeout()` if it has not settled after `timeoutMs`, not counting a pause of this
 * process. A synchronous throw is a rejection; what comes after the deadline is ignored. The timer never keeps the
 * process alive.
 */
export function withDeadline<T>(
  operation: () => PromiseLike<T>,
  timeoutMs: number,
  onTimeout: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = new PatientTimer(() => reject(onTimeout()), timeoutMs);
    timer.start(timeoutMs);
    const fail = (error: unknown): void => {
      timer.stop();
      reject(error);
    };
    try {
      operation().then((value) => {
        timer.stop();
        resolve(value);
      }, fail);
    } catch (error) {
      fail(error);
    }
  });
}
