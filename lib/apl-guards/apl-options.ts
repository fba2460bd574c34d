import type { Request } from 'express';
import Joi, { type SchemaMap } from 'joi';
import type { Attributes } from '../apl/attributes.js';
import type { DecisionAnswer, DecisionCall, PluginAnswer, PluginCall } from '../apl/engines.js';
import { ENFORCE, type GuardOptions, type GuardSettings, parseGuardOptions } from '../guards/guard-options.js';
import type { PolicyInput } from '../guards/policy.js';
import { invalidConfig } from '../options/invalid-config.js';
import type { MaybePromise } from '../util/maybe-promise.js';

/** What plugins and decision points receive, as decisions of `policy()` do. `subject` is the attribute `subject.id`. */
export type RuleInput = PolicyInput<string | undefined>;

/** A function that `plugin(name)` calls. An error, or any other answer, denies with `plugin:<name>`. */
export type RequestPlugin = (call: PluginCall, attributes: Attributes, input: RuleInput) => MaybePromise<PluginAnswer>;

/** A function that decides steps of one dialect, such as `cel:`. An error, or any other answer, denies with `pdp:<Dialect>`. */
export type RequestDecisionPoint = (
  call: DecisionCall,
  attributes: Attributes,
  input: RuleInput,
) => MaybePromise<DecisionAnswer>;

/** Reads names from a request: an array or a Set. `undefined` and `null` mean an empty list. */
export type NamesAccessor = (req: Request) => MaybePromise<readonly string[] | ReadonlySet<string> | null | undefined>;

/**
 * Where the attributes of a request come from. Each function is called only if a rule reads what it provides, and may be
 * async. An error denies with `policy.error`.
 */
export interface AttributeOptions {
  /** The verified subject: `subject.id` and `authenticated`. Use the accessor of `subjectSession`. */
  readonly subject?: (req: Request) => MaybePromise<string | null | undefined>;
  /** `role.<name>`. */
  readonly roles?: NamesAccessor;
  /** `perm.<name>`. */
  readonly permissions?: NamesAccessor;
  /** `team.<name>`, and the set `subject.teams`. */
  readonly teams?: NamesAccessor;
  /** `claim.<name>`: the claims of a verified token, for example `(req) => req.auth`. Values that are not strings become JSON. */
  readonly claims?: (req: Request) => MaybePromise<Readonly<Record<string, unknown>> | null | undefined>;
  /** Other attributes of the subject, such as `{ 'subject.type': 'agent' }`, and the attributes in `attributeNames`. */
  readonly attributes?: (req: Request) => MaybePromise<Attributes | null | undefined>;
  /**
   * Attributes of the app's own that rules may read. `data.*` stands for all keys below `data.`.
   * @default []
   */
  readonly attributeNames?: readonly string[];
  /** The host names of the app. `http.host` needs them, because a client may send any name. Other hosts are denied then. */
  readonly hosts?: readonly string[];
  /**
   * The arguments of a request, an object of JSON values: `args.*`.
   * @default the arguments of an MCP call, else `req.body`
   */
  readonly args?: (req: Request) => MaybePromise<unknown>;
}

/** Options of `apl()`. */
export interface AplOptions extends GuardOptions, AttributeOptions {
  /** Lets chains of `args` change the arguments in `req.body`. Without it, a document with such a chain is refused. */
  readonly transformArgs?: boolean;
  /** With `'deny'`, a rule denies if it compares an absent attribute with `!=` or `not in`. Without it, such a rule is refused. */
  readonly absent?: 'deny';
  /** The functions that `plugin(name)` calls. */
  readonly plugins?: Readonly<Record<string, RequestPlugin>>;
  /** The functions that decide steps such as `cel:` and `cedar:`. */
  readonly decisionPoints?: Readonly<Record<string, RequestDecisionPoint>>;
  /** The name of the file, for messages. */
  readonly file?: string;
}

/** Options that were checked. */
export type AplSettings = Readonly<Omit<AplOptions, keyof GuardOptions> & GuardSettings>;

// Express middleware has three parameters
const accessor = Joi.function().maxArity(2);
const functions = Joi.object().pattern(Joi.string(), Joi.function());

export const aplOptions: SchemaMap = {
  ...ENFORCE,
  subject: accessor,
  roles: accessor,
  permissions: accessor,
  teams: accessor,
  claims: accessor,
  attributes: accessor,
  attributeNames: Joi.array().items(
    Joi.string().pattern(/^[A-Za-z_][\w.]*(?:\.\*)?$/, 'a key, or a key that ends in .*'),
  ),
  hosts: Joi.array().items(Joi.string().lowercase()).min(1),
  args: accessor,
  transformArgs: Joi.boolean(),
  absent: Joi.valid('deny'),
  plugins: functions,
  decisionPoints: functions,
  file: Joi.string(),
};

/** @throws AplSessionError `config.invalid` */
export function parseAplOptions<T extends AplOptions>(
  what: string,
  options: T | undefined,
  own: SchemaMap = {},
): Readonly<Omit<T, 'denial'> & GuardSettings> {
  const parsed = parseGuardOptions<T>(what, options, { ...aplOptions, ...own } as SchemaMap<T>);
  const { name, attributes, attributeNames, args, transformArgs } = parsed as AplSettings;
  if (attributeNames && !attributes) {
    throw invalidConfig(name, "'attributeNames' needs 'attributes', the function that sets them");
  }
  if (transformArgs && args) {
    throw invalidConfig(name, "'transformArgs' changes req.body, so it cannot be used together with 'args'");
  }
  return parsed;
}
