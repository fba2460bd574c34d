import { AplSessionError } from '../contract/errors.js';

/** Registered globally, so that all copies of this package in a process share it. */
const kUncalled = Symbol.for('express-apl-session.uncalled');

/**
 * Marks a function whose result is spread into the options of `subjectSession`. A spread copies the mark, so
 * `...fromExpressSession` without a call is an error. Without the mark it would add nothing, and the option would be missing
 * without a message.
 */
export function markUncalled(accessor: { readonly name: string }): void {
  Object.defineProperty(accessor, kUncalled, { value: accessor.name, enumerable: true });
}

/** @throws AplSessionError `config.invalid` if such a function was spread, or is the value of an option */
export function assertCalledAccessors(options: object): void {
  const name = [options, ...Object.values(options)].map(markOf).find((mark) => mark !== undefined);
  if (name === undefined) return;
  throw new AplSessionError(
    'config.invalid',
    `subjectSession: ${name} was given without being called. Write subjectSession({ ...${name}(...) }).`,
  );
}

function markOf(value: unknown): string | undefined {
  return (value as { readonly [kUncalled]?: string } | null | undefined)?.[kUncalled];
}
