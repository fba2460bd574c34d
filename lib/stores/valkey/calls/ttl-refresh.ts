import type { TimedCall } from '../../../util/deadlines.js';
import { keyWasMissing } from './ttl-command.js';

/** Called if the refresh failed although the labels were read. */
export interface RefreshListener {
  onRefreshFailed(error: unknown): void;
  /** Labels were read from the key, but the key was missing when its TTL was refreshed. */
  onKeyGone(): void;
}

/**
 * The refresh of a TTL beside a read. A failure does not change the result of the read, but the labels may expire too
 * early, so the listener is called. If the read fails, the refresh reports nothing.
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
    if (keyWasMissing(reply)) this.#afterRead(() => this.#found && this.#listener.onKeyGone());
  }

  onError(error: unknown): void {
    this.#afterRead(() => this.#listener.onRefreshFailed(error));
  }

  #afterRead(report: () => void): void {
    if (this.#found === undefined) this.#pendingReport = report;
    else report();
  }
}
