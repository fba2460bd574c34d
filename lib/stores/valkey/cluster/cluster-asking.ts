import { StatusReply } from '../protocol/resp-parser.js';
import { commandText, type ValkeyRequest } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';

const ASKING = commandText('asking');
const isOk = (reply: unknown): boolean => reply instanceof StatusReply && reply.text === 'OK';

/** A node that is taking over a slot answers for it only behind `ASKING`; a transaction needs it once. */
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
