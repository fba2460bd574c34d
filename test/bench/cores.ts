import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

/** Which core runs what. `undefined` where processes cannot be pinned. */
export interface Cores {
  readonly app: number | undefined;
  /** For the load and Valkey. */
  readonly rest: number | undefined;
}

/** The app has a core for itself, where there are two and `taskset`. */
export function chooseCores(): Cores {
  const pinnable = cpus().length > 1 && canPin();
  return pinnable ? { app: 0, rest: 1 } : { app: undefined, rest: undefined };
}

export function pin(pid: number, core: number | undefined): void {
  if (core !== undefined) execFileSync('taskset', ['-a', '-cp', `${core}`, `${pid}`], { stdio: 'ignore' });
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
