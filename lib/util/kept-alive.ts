import { clearInterval, setInterval } from './clock.js';

/** Keeps the process alive until `work` settles. Deadlines of store calls do not, and their alarms must not be lost. */
export async function keptAlive<T>(work: () => Promise<T>): Promise<T> {
  const alive = setInterval(() => {}, 1_000);
  try {
    return await work();
  } finally {
    clearInterval(alive);
  }
}
