import type { Request } from 'express';
import Joi from 'joi';
import { GATEWAY_KEYS } from '../apl/document-layers.js';
import type { GuardSettings } from '../guards/guard-options.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import { type AplOptions, parseAplOptions } from './apl-options.js';

/** Reads a name from a request. `undefined`, `null` and `''` mean no name. */
export type NameAccessor = (req: Request) => MaybePromise<string | null | undefined>;

/** Options of `aplPolicies()`. */
export interface AplPoliciesOptions extends AplOptions {
  /**
   * The tool that a request is for, for apps whose tools are routes of HTTP. A request without a tool is checked for a call of
   * MCP, and otherwise gets the rules of `global`. An app that has no such routes may say so by `() => undefined`.
   * @default only calls of MCP have a tool
   */
  readonly tool?: NameAccessor;
  /** The model that a request is for. Required if the document has routes for `llm`. */
  readonly llm?: NameAccessor;
  /** The `meta.scope` of a request. Required if the document has routes with a scope. */
  readonly scope?: NameAccessor;
  /**
   * Keys that only a gateway reads, and that this app replaces by other means: `plugins`, `plugin_dirs`, `pdp`,
   * `attribute_files`, `authentication`. Without this option they are errors.
   * @default []
   */
  readonly ignoreKeys?: readonly (typeof GATEWAY_KEYS)[number][];
}

export type AplPoliciesSettings = Readonly<Omit<AplPoliciesOptions, 'name' | 'denial' | 'enforce'> & GuardSettings>;

const accessor = Joi.function().maxArity(2);
const own = {
  tool: accessor,
  llm: accessor,
  scope: accessor,
  ignoreKeys: Joi.array().items(Joi.valid(...GATEWAY_KEYS)),
};

/** @throws AplSessionError `config.invalid` */
export function parseAplPoliciesOptions(options: AplPoliciesOptions | undefined): AplPoliciesSettings {
  return parseAplOptions('aplPolicies', options, own);
}
