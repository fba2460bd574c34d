import { hostname } from 'node:os';
import Joi, { type AlternativesSchema } from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { boundedText, MAX_TEXT } from './bounded-text.js';

export interface ProvenanceOptions {
  /**
   * The name of this process in records: up to 200 characters, without control characters.
   * @default the host name and the process id, for example `web-1:4711`
   */
  readonly node?: string;
}

/** The value of the option `provenance` of a store. */
export type ProvenanceOption = boolean | ProvenanceOptions;

const details = Joi.object<ProvenanceOptions>({ node: Joi.string().max(MAX_TEXT).custom(nodeName) });

export const provenanceSchema: AlternativesSchema = Joi.alternatives().conditional(Joi.object(), {
  // biome-ignore lint/suspicious/noThenProperty: a condition of joi
  then: details,
  otherwise: Joi.boolean(),
});

/** The name of this process in records; `undefined` if the store keeps none. */
export function nodeOf(option: ProvenanceOption): string | undefined {
  if (option === false) return undefined;
  const { node = `${hostname()}:${process.pid}` } = option === true ? {} : option;
  return boundedText(node);
}

/** The error of `explain()` for a store without provenance. */
export function noProvenance(store: string): AplSessionError {
  return new AplSessionError(
    'config.invalid',
    `${store}: explain() needs the option 'provenance'. Set provenance: true for the stores of all nodes.`,
  );
}

function nodeName(value: string, { error }: Joi.CustomHelpers): unknown {
  if (boundedText(value) === value) return value;
  return error('any.custom', { error: new Error('must be well-formed text without control characters') });
}
