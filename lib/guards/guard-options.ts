import Joi, { type SchemaMap } from 'joi';
import { type DenialOption, type DenialRenderer, parseDenial } from '../denial/denial.js';
import { parseOptions } from '../options/parse-options.js';

/** The last argument of every guard. */
export interface GuardOptions {
  /**
   * The guard's name in alarms and errors.
   * @default the name of its function, for example `denyIf`
   */
  readonly name?: string;

  /**
   * How this guard answers a request that it denies.
   * @default the `denial` option of `aplSessionMiddleware`
   */
  readonly denial?: DenialOption;
}

export interface GuardSettings {
  readonly name: string;
  readonly denial: DenialRenderer | undefined;
}

/** @throws AplSessionError `config.invalid` */
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
