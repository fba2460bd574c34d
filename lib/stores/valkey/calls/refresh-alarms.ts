import { LastingFailure } from '../../../alarms/lasting-failure.js';
import type { Alarm } from '../../../contract/alarms.js';
import type { RefreshListener } from './ttl-refresh.js';

/** Raises an alarm for each TTL refresh that fails, and one when they succeed again. */
export class RefreshAlarms implements RefreshListener {
  readonly #raise: (alarm: Alarm) => void;
  readonly #failure = new LastingFailure((recovery) => {
    const error = 'Loads refresh the TTL of labels again.';
    this.#raise({ alarm: 'session_store_recovered', after: 'session_store_ttl_refresh_failed', ...recovery, error });
  });

  constructor(raise: (alarm: Alarm) => void) {
    this.#raise = raise;
  }

  onFailed(error: string): void {
    this.#failure.failed();
    this.#raise({ alarm: 'session_store_ttl_refresh_failed', error });
  }

  onRefreshed(): void {
    this.#failure.succeeded();
  }

  /** Raises a recovery now that would be raised after a quiet second. */
  settle(): void {
    this.#failure.settle();
  }
}
