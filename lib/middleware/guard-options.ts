import Joi, { type SchemaMap } from 'joi';
import { parseOptions } from '../contract/parse-options.js';

/** What every guard takes as its last argument. */
export interface GuardOptions {
  /** Names the guard in alarms and errors. Default: the name of its function. */
  readonly name?: string;
}

/**
 * Checks the options of a guard, by default none, and fills in its name.
 * @throws AplSessionError `config.invalid`
 */
export function parseGuardOptions<T extends GuardOptions>(
  guard: string,
  options: T | undefined,
  own: SchemaMap<T> = {},
): Readonly<T & Required<GuardOptions>> {
  const schema = Joi.object<T & Required<GuardOptions>>({ name: Joi.string().default(guard), ...own });
  return parseOptions(guard, schema, options === undefined ? {} : options);
}
