import type { TimedCall } from '../../../util/deadlines.js';
import { countOf } from './valkey-replies.js';

/** Hears of a refresh that failed although the labels were read. */
export interface RefreshListener {
  onRefreshFailed(error: unknown): void;
  /** The key was gone when its TTL was to be refreshed, and labels had just been read from it. */
  onKeyGone(): void;
}

/** The refresh of a TTL beside a read. What was read counts; that it may expire too early is worth an alarm. */
export class TtlRefresh implements TimedCall<unknown> {
  readonly #reply: Promise<unknown>;
  readonly #listener: RefreshListener;
  /** Whether labels were found; `undefined` until the read has succeeded. */
  #found: boolean | undefined;
  #report: (() => void) | undefined;

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

  /** The read has succeeded; one that has not tells of the fault itself. */
  onRead(labels: readonly string[]): void {
    this.#found = labels.length > 0;
    this.#report?.();
  }

  onValue(reply: unknown): void {
    try {
      if (countOf('EXPIRE', reply) === 0) this.#tell(() => this.#found && this.#listener.onKeyGone());
    } catch (error) {
      this.onError(error);
    }
  }

  onError(error: unknown): void {
    this.#tell(() => this.#listener.onRefreshFailed(error));
  }

  #tell(report: () => void): void {
    if (this.#found === undefined) this.#report = report;
    else report();
  }
}
