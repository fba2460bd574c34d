import { IncomingMessage } from 'node:http';
import { AplSessionError } from '../contract/errors.js';

/**
 * Throws if a function that makes middleware received a request: the app has mounted the function itself and has not called
 * it.
 * @param example the call as the app must write it
 * @throws AplSessionError `config.invalid`
 */
export function assertCalled(what: string, first: unknown, example = `${what}({ ... })`): void {
  if (!(first instanceof IncomingMessage)) return;
  throw new AplSessionError(
    'config.invalid',
    `${what} was mounted or passed on without being called, so it received a request. Write ${example} in its place.`,
  );
}
