import { AplSessionError } from '../contract/errors.js';
import { currentSecurity } from './security-context.js';

/**
 * Wraps a handler, for example that of an MCP tool, so that its result is handed on only after the labels of its request
 * are stored. A transport, a queue or another node that keeps the result then keeps nothing that is ahead of its labels.
 * The same holds for what the handler throws, as its message becomes a result with some frameworks.
 *
 * The wrapper runs in the request that calls it, so `securityContext()` must be mounted. It waits for one append, and for
 * nothing if the request has added no label.
 *
 * @example
 * server.registerTool('read_salaries', { description: 'Salaries by role' }, writeAhead(async () => text(await salaries())));
 *
 * @param handler a function that returns its whole result, or a promise of it; not a generator or a stream
 * @returns a function with the same parameters. It rejects with `context.missing` where no request is known, before
 * the handler runs, with `session.persist_failed` in place of the result if the labels could not be stored, and with
 * `config.invalid` for a stream or a generator
 * @throws AplSessionError `config.invalid` if `handler` is not a function
 */
export function writeAhead<Args extends unknown[], Result>(
  handler: (...args: Args) => Result | PromiseLike<Result>,
): (...args: Args) => Promise<Result> {
  if (typeof handler !== 'function') {
    throw new AplSessionError('config.invalid', 'writeAhead() takes the handler, a function.');
  }
  return async function (this: unknown, ...args: Args): Promise<Result> {
    const security = currentSecurity();
    try {
      return whole(await handler.apply(this, args));
    } finally {
      // a rejection of this one takes the place of the result, and of an error of the handler
      await security.persist();
    }
  };
}

/** What is read piece by piece may add labels after the append. */
function whole<Result>(result: Result): Result {
  if (typeof result !== 'object' || result === null) return result;
  // an iterator runs its code when it is asked, as a generator does
  if (!(Symbol.asyncIterator in result || typeof (result as { next?: unknown }).next === 'function')) return result;
  throw new AplSessionError(
    'config.invalid',
    'The handler in writeAhead() returned a stream or a generator. Return the whole result, or await persist() before each piece.',
  );
}
