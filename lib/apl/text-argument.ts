import { invalidConfig } from '../options/invalid-config.js';
import { kindOfValue } from '../options/kind-of-value.js';

/** @throws AplSessionError `config.invalid` if the text of a predicate or a chain is no string */
export function textArgument(what: string, text: unknown): string {
  if (typeof text === 'string') return text;
  throw invalidConfig(what, `the text must be a string; got ${kindOfValue(text)}`);
}
