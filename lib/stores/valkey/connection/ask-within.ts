import { withDeadline } from '../../../util/deadlines.js';
import type { Reply } from '../protocol/resp-parser.js';
import type { ValkeyRequest } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';

/** Sends a request that is not part of a call. If the server does not answer in time, the connection is closed. */
export function askWithin(wire: ValkeyAsker, request: ValkeyRequest, timeoutMs: number): Promise<readonly Reply[]> {
  const onTimeout = (): Error => {
    wire.giveUp('The server did not answer in time.');
    return new Error('The server did not answer in time.');
  };
  return withDeadline(() => wire.ask(request), timeoutMs, onTimeout);
}
