import { setTimeout as delay } from 'node:timers/promises';
import { AplSessionError } from '../../lib/contract/errors.js';
import type { SessionStore } from '../../lib/contract/session-store.js';

const PACE_MS = 5;

/** Appends to sessions and loads them, again and again, each session by a loop of its own. */
export class SessionTraffic {
  /** How often calls rejected with each code. */
  readonly failures: Record<string, number> = {};
  /** Rejections that are not errors of this package. */
  readonly strange: unknown[] = [];
  /** Loads without a label that was acknowledged before. */
  incompleteLoads = 0;
  /** Labels of one session in a load of another one. */
  foreignLabels = 0;
  /** The longest time of a session without a successful append and load. */
  longestGapMs = 0;
  slowestCallMs = 0;
  readonly #store: SessionStore;
  readonly #loops: ReadonlyArray<Promise<void>>;
  #rounds = 0;
  #stopped = false;

  constructor(store: SessionStore, sessions: readonly string[]) {
    this.#store = store;
    this.#loops = sessions.map((session) => this.#run(session));
  }

  /** How many appends and loads succeeded. */
  get rounds(): number {
    return this.#rounds;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  /** One line for the output of the tests. */
  summary(): string {
    const failures = Object.entries(this.failures).map(([code, count]) => `${count} ${code}`);
    const seconds = (this.longestGapMs / 1_000).toFixed(2);
    return [
      `${seconds} s without service`,
      `rejected: ${failures.join(', ') || 'none'}`,
      `loads without an acknowledged label: ${this.incompleteLoads}`,
    ].join('; ');
  }

  async #run(session: string): Promise<void> {
    const acknowledged = new Set<string>();
    let servedMs = performance.now();
    const served = (): void => {
      this.longestGapMs = Math.max(this.longestGapMs, performance.now() - servedMs);
      servedMs = performance.now();
    };
    for (let round = 0; !this.#stopped; round += 1) {
      const label = `${session}/${round}`;
      const done = await this.#call(() => this.#store.appendLabels(session, [label]).then(() => true));
      if (done) acknowledged.add(label);
      const loaded = await this.#call(() => this.#store.loadLabels(session));
      if (loaded) this.#judge(session, new Set(loaded), acknowledged);
      if (done && loaded) {
        this.#rounds += 1;
        served();
      }
      await delay(PACE_MS);
    }
    served();
  }

  #judge(session: string, loaded: ReadonlySet<string>, acknowledged: Set<string>): void {
    for (const label of loaded) if (!label.startsWith(`${session}/`)) this.foreignLabels += 1;
    const missing = [...acknowledged].filter((label) => !loaded.has(label));
    if (missing.length > 0) this.incompleteLoads += 1;
    // a label that is lost is counted once
    for (const label of missing) acknowledged.delete(label);
  }

  async #call<T>(call: () => Promise<T>): Promise<T | undefined> {
    const startedMs = performance.now();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof AplSessionError)) this.strange.push(error);
      else this.failures[error.code] = (this.failures[error.code] ?? 0) + 1;
      return undefined;
    } finally {
      this.slowestCallMs = Math.max(this.slowestCallMs, performance.now() - startedMs);
    }
  }
}
