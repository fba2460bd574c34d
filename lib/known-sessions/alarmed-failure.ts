import { AplSessionError } from '../contract/errors.js';
import { ignoreRejection } from '../util/maybe-promise.js';

/**
 * Returns a promise like `work` that an app may leave without a handler if labels could not be stored: an alarm was raised
 * then, and the process keeps the labels. Unhandled, the rejection would end the process and lose them. All other errors are
 * reported nowhere else, so they stay unhandled.
 */
export function alarmedIfNotPersisted(work: Promise<void>): Promise<void> {
  const result = work.then();
  work.catch((error: unknown) => {
    if (error instanceof AplSessionError && error.code === 'session.persist_failed') ignoreRejection(result);
  });
  return result;
}
