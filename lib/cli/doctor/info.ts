import { ErrorReply, type Reply } from '../../stores/valkey/protocol/resp-parser.js';

/** What INFO reports, by name. */
export type Info = ReadonlyMap<string, string>;

/** Reads the reply to `INFO`; `undefined` if the server refuses it. */
export function infoIn(reply: Reply | undefined): Info | undefined {
  if (reply instanceof ErrorReply || typeof reply !== 'string') return undefined;
  return new Map([...reply.matchAll(/^(\w+):([^\r\n]*)/gm)].map(([, name = '', value = '']) => [name, value]));
}

export function numberIn(info: Info, name: string): number | undefined {
  const value = Number(info.get(name) ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}
