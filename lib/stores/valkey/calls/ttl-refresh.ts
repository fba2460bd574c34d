import type { TimedCall } from '../../../util/deadlines.js';
import { toStoreError } from '../protocol/store-error.js';
import { keyWasMissing } from './ttl-command.js';

/**
 * The refresh of a TTL beside a read. A failure does not change the result of the read, but the labels may expire too
 * early, so the failure is reported. After a failed read, `onFailed` is not called.
 */
export class TtlRefresh implements TimedCall<unknown> {
  readonly #reply: Promise<unknown>;
  readonly #onFailed: (reason: string) => void;
  /** Whether the read found labels; `undefined` until it has succeeded. */
  #found: boolean | undefined;
  /** A report that waits for the result of the read. */
  #pendingReport: (() => void) | undefined;

  constructor(reply: Promise<unknown>, onFailed: (reason: string) => void) {
    this.#reply = reply;
    this.#onFailed = onFailed;
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
    if (!keyWasMissing(reply)) return;
    this.#afterRead(() => {
      if (this.#found)
        this.#onFailed('The key was missing when its TTL was refreshed, although it had labels just before.');
    });
  }

  onError(error: unknown): void {
    this.#afterRead(() => this.#onFailed(toStoreError(this.name, error).message));
  }

  #afterRead(report: () => void): void {
    if (this.#found === undefined) this.#pendingReport = report;
    else report();
  }
}
