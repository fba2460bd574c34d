import { AsyncResource } from 'node:async_hooks';
import { errorText } from '../alarms/redact.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionStore } from '../contract/session-store.js';
import { isoTime, now } from '../util/clock.js';
import { withDeadline } from '../util/deadlines.js';

/** The result of one probe. */
export type ProbeResult =
  | { readonly reachable: true; readonly at: string; readonly pingMs: number }
  | { readonly reachable: false; readonly at: string; readonly code?: string; readonly reason: string };

const DEFAULT_TIMEOUT_MS = 1_000;
const DEADLINE_MARGIN_MS = 50;

/** Probes a store, one call at a time, and uses each result for a while. */
export class StoreProbe {
  readonly #store: SessionStore;
  readonly #cacheMs: number;
  readonly #timeoutMs: number;
  /** A probe serves many requests, so it must not run in the asynchronous context of the first one. */
  readonly #context = new AsyncResource('express-apl-session.health');
  #state: 'idle' | 'probing' = 'idle';
  #latest: Promise<ProbeResult> | undefined;
  #startedAtMs = 0;

  constructor(store: SessionStore, cacheMs: number) {
    this.#store = store;
    this.#cacheMs = cacheMs;
    this.#timeoutMs = store.deadlineMs === undefined ? DEFAULT_TIMEOUT_MS : store.deadlineMs + DEADLINE_MARGIN_MS;
  }

  /** Never rejects. */
  result(): Promise<ProbeResult> {
    // counted from the start: what the server answered then is as old as that
    const isFresh = this.#state === 'probing' || now() - this.#startedAtMs < this.#cacheMs;
    if (this.#latest && isFresh) return this.#latest;
    this.#state = 'probing';
    this.#startedAtMs = now();
    this.#latest = this.#context.runInAsyncScope(() => this.#probe());
    return this.#latest;
  }

  async #probe(): Promise<ProbeResult> {
    const at = isoTime();
    try {
      await withDeadline(
        () => this.#ping(),
        this.#timeoutMs,
        () => tooLate(this.#timeoutMs),
      );
      return Object.freeze({ reachable: true, at, pingMs: Math.round((now() - this.#startedAtMs) * 1_000) / 1_000 });
    } catch (error) {
      const code = error instanceof AplSessionError ? { code: error.code } : undefined;
      return Object.freeze({ reachable: false, at, ...code, reason: errorText(error, []) });
    } finally {
      this.#state = 'idle';
    }
  }

  async #ping(): Promise<void> {
    if (this.#store.ping) await this.#store.ping();
    else await this.#store.ready?.();
  }
}

function tooLate(timeoutMs: number): AplSessionError {
  return new AplSessionError('store.timeout', `The session store did not settle the ping within ${timeoutMs} ms.`);
}
