import { commandText, isOk, type ValkeyRequest } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';

const ASKING = commandText('asking');

/** Puts `ASKING` before each request: a node that is importing a slot refuses the requests for it otherwise. */
export function askingFirst(wire: ValkeyAsker): ValkeyAsker {
  const asking = ({ text, replies }: ValkeyRequest): ValkeyRequest => ({
    text: ASKING + text,
    replies: [isOk, ...replies],
  });
  return {
    ask: async (request) => (await wire.ask(asking(request))).slice(1),
    askUnproven: async (request) => (await wire.askUnproven(asking(request))).slice(1),
    stillPrimary: () => wire.stillPrimary(),
    giveUp: (why) => wire.giveUp(why),
  };
}
