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

  /**
   * `'observe'`: a request that the guard would deny goes on, and the alarm `policy_would_deny` is raised. For the time in
   * which a policy is tried out; the process prints a warning at start. A failure of the store still denies.
   * @default 'deny'
   */
  readonly enforce?: 'deny' | 'observe';
}

export interface GuardSettings {
  readonly name: string;
  readonly denial: DenialRenderer | undefined;
  readonly enforce?: 'deny' | 'observe' | undefined;
}

/** The option of every guard that decides. */
export const ENFORCE: SchemaMap = { enforce: Joi.string().valid('deny', 'observe').default('deny') };

/** @throws AplSessionError `config.invalid` */
export function parseGuardOptions<T extends GuardOptions>(
  guard: string,
  options: T | undefined,
  own: SchemaMap<T> = {},
): Readonly<Omit<T, 'denial'> & GuardSettings> {
  const schema = Joi.object<T & { name: string }>({ name: Joi.string().default(guard), denial: Joi.any(), ...own });
  const parsed = parseOptions(guard, schema, options === undefined ? {} : options);
  const { denial, enforce } = parsed;
  if (enforce === 'observe') {
    process.emitWarning(
      `The guard '${parsed.name}' observes: it lets requests pass that it would deny, and raises the alarm policy_would_deny. Remove enforce: 'observe' to enforce the policy.`,
      { code: 'APL_GUARD_OBSERVES' },
    );
  }
  return { ...parsed, denial: denial === undefined ? undefined : parseDenial(parsed.name, denial) };
}
