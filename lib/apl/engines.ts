import type { MaybePromise } from '../util/maybe-promise.js';
import type { Attributes } from './attributes.js';
import type { Taint } from './decision.js';

/** Where a rule or a chain calls a plugin. */
export interface PluginCall {
  readonly phase: 'pre' | 'post';
  /** The path of the field and its value; `undefined` for a call in a list of rules. */
  readonly field: { readonly path: string; readonly value: unknown } | undefined;
}

/** `value` replaces the value of a field. `taints` count whether the plugin allows or denies. */
export type PluginAnswer =
  | { readonly allow: true; readonly value?: unknown; readonly taints?: readonly Taint[] }
  | { readonly code: string; readonly reason: string; readonly allow?: never; readonly taints?: readonly Taint[] };

/**
 * A function that `plugin(name)` calls. An error, a rejected promise, or any other answer denies with `plugin:<name>`.
 *
 * @example
 * const office: Plugin = () => (isOpen() ? { allow: true } : { code: 'closed', reason: 'the office is closed' });
 */
export type Plugin = (call: PluginCall, attributes: Attributes) => MaybePromise<PluginAnswer>;

/** A step such as `cel: { expr: … }`, or `opa("path"): {}`. */
export interface DecisionCall {
  /** The word before the colon or the parenthesis. */
  readonly dialect: string;
  /** The text in parentheses, as it is written; else an object with the members of the step. */
  readonly arguments: string | Readonly<Record<string, unknown>>;
}

export type DecisionAnswer =
  | { readonly allow: true }
  | { readonly code: string; readonly reason: string; readonly allow?: never };

/** A function that decides steps of one dialect. An error, or any other answer, denies with `pdp:<Dialect>`. */
export type DecisionPoint = (call: DecisionCall, attributes: Attributes) => MaybePromise<DecisionAnswer>;
