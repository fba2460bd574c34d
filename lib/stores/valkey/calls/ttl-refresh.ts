import type { TimedCall } from '../../../util/deadlines.js';
import { toStoreError } from '../protocol/store-error.js';
import { keyWasMissing } from './ttl-command.js';

export interface RefreshListener {
  onFailed(reason: string): void;
  /** The server has refreshed the TTL of a key. */
  onRefreshed(): void;
}

/**
 * The refresh of a TTL beside a read. A failure does not change the result of the read, but the labels may expire too
 * early, so the failure is reported. After a failed read, no failure is reported.
 */
export class TtlRefresh implements TimedCall<unknown> {
  readonly #reply: Promise<unknown>;
  readonly #listener: RefreshListener;
  /** Whether the read found labels; `undefined` until it has succeeded. */
  #found: boolean | undefined;
  /** A report that waits for the result of the read. */
  #pendingReport: (() => void) | undefined;

  constructor(reply: Promise<unknown>, listener: RefreshListener) {
    this.#reply = reply;
    this.#listener = listener;
  }

  get name(): string {
    return 'TTL refresh';
  }

  start(): Promise<unknown> {
    return this.#reply;
  }

  onRead(labels: readonly string[]): void {
    this.#found = labels.length > 0;
    this.#pendingReport?.();
  }

  onValue(reply: unknown): void {
    if (!keyWasMissing(reply)) {
      this.#listener.onRefreshed();
      return;
    }
    this.#afterRead(() => {
      if (this.#found)
        this.#listener.onFailed('The key was missing when its TTL was refreshed, although it had labels just before.');
    });
  }

  onError(error: unknown): void {
    this.#afterRead(() => this.#listener.onFailed(toStoreError(this.name, error).message));
  }

  #afterRead(report: () => void): void {
    if (this.#found === undefined) this.#pendingReport = report;
    else report();
  }
}
