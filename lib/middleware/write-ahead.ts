import { AplSessionError } from '../contract/errors.js';
import { currentSecurity } from './security-context.js';

/**
 * Wraps a handler, for example of an MCP tool, so that it returns its result or error only after the labels of its request are
 * stored. Use it if a queue, an event store or another process keeps the result. Mount `securityContext()` first.
 *
 * @example
 * import { currentSecurity, writeAhead } from 'express-apl-session/context';
 *
 * const readSalaries = writeAhead(async () => {
 *   currentSecurity().labels.add('secret');
 *   return { content: [{ type: 'text', text: '98000' }] };
 * });
 *
 * @param handler returns its whole result, or a promise of it; not a generator or a stream
 * @returns a function with the same parameters. It rejects with `context.missing` without a current request, before the handler
 * runs; with `session.persist_failed` in place of the result if the labels cannot be stored; with `config.invalid` if the
 * result is a stream or a generator
 * @throws AplSessionError `config.invalid` if `handler` is not a function
 */
export function writeAhead<Args extends unknown[], Result>(
  handler: (...args: Args) => Result | PromiseLike<Result>,
): (...args: Args) => Promise<Result> {
  if (typeof handler !== 'function') {
    throw new AplSessionError('config.invalid', 'writeAhead() takes one argument, the handler function.');
  }
  return async function (this: unknown, ...args: Args): Promise<Result> {
    const security = currentSecurity();
    try {
      return whole(await handler.apply(this, args));
    } finally {
      // an error of persist() must replace the result, and also an error of the handler
      await security.persist();
    }
  };
}

/** Refuses a result that is read in pieces: its code may add labels after the append. */
function whole<Result>(result: Result): Result {
  if (typeof result !== 'object' || result === null) return result;
  // an iterator also runs its code on each next()
  if (!(Symbol.asyncIterator in result || typeof (result as { next?: unknown }).next === 'function')) return result;
  throw new AplSessionError(
    'config.invalid',
    'The handler in writeAhead() returned a stream or a generator. Return the whole result, or await persist() before each piece.',
  );
}
