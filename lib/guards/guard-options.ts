import Joi, { type SchemaMap } from 'joi';
import { type DenialOption, type DenialRenderer, parseDenial } from '../denial/denial.js';
import { parseOptions } from '../util/parse-options.js';

/** What every guard takes as its last argument. */
export interface GuardOptions {
  /** Names the guard in alarms and errors. Default: the name of its function. */
  readonly name?: string;

  /** How this guard answers what it denies. Default: as `aplSessionMiddleware` does. */
  readonly denial?: DenialOption;
}

/** What a guard works with. */
export interface GuardSettings {
  readonly name: string;
  readonly denial: DenialRenderer | undefined;
}

/**
 * Checks the options of a guard, by default none, and fills in its name.
 * @throws AplSessionError `config.invalid`
 */
export function parseGuardOptions<T extends GuardOptions>(
  guard: string,
  options: T | undefined,
  own: SchemaMap<T> = {},
): Readonly<Omit<T, 'denial'> & GuardSettings> {
  const schema = Joi.object<T & { name: string }>({ name: Joi.string().default(guard), denial: Joi.any(), ...own });
  const parsed = parseOptions(guard, schema, options === undefined ? {} : options);
  const { denial } = parsed;
  return { ...parsed, denial: denial === undefined ? undefined : parseDenial(parsed.name, denial) };
}
