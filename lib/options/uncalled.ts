import { invalidConfig } from './invalid-config.js';

/** Registered globally, so that all copies of this package in a process share it. */
const kUncalled = Symbol.for('express-apl-session.uncalled');

/**
 * Marks a function whose result belongs in options, so that `assertCalledOptions` recognizes the function itself. A spread
 * copies the mark: without it, `...fromExpressSession` would add nothing, and the option would be missing without a message.
 * @param example how to write the call
 */
export function markUncalled(maker: { readonly name: string }, example: string): void {
  Object.defineProperty(maker, kUncalled, { value: { name: maker.name, example }, enumerable: true });
}

interface Mark {
  readonly name: string;
  readonly example: string;
}

/**
 * @param what takes the options
 * @throws AplSessionError `config.invalid` if a marked function was spread, is an option, or stands for the options
 */
export function assertCalledOptions(what: string, options: unknown): void {
  // a caller without types may pass anything; the schema of the options reports it
  const given: object = (typeof options === 'object' || typeof options === 'function' ? options : null) ?? {};
  const mark = [given, ...Object.values(given)].map(markOf).find((found) => found !== undefined);
  if (mark) throw invalidConfig(what, `${mark.name} was given without being called. Write ${mark.example}.`);
}

function markOf(value: unknown): Mark | undefined {
  return (value as { readonly [kUncalled]?: Mark } | null | undefined)?.[kUncalled];
}
