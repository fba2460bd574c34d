import Joi from 'joi';
import { parseOptions } from '../options/parse-options.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import type { AsyncOptions, SyncOptions } from './compile.js';
import type { Decision, RuleDecision } from './decision.js';
import type { DenyResponse } from './deny-response.js';
import { ENTITY_TYPES, type EntityType, GATEWAY_KEYS, parseLayers } from './document-layers.js';
import { kindOfNode } from './document-node.js';
import { documentOptions, type LanguageOptions, languageContext } from './language-options.js';
import { readDocument } from './read-document.js';
import { type Section, sectionOf } from './section.js';
import { mergedRules, type SectionRules } from './section-source.js';
import { fault } from './source-text.js';

export interface DocumentOptions extends Omit<LanguageOptions, 'strict'> {
  /**
   * Keys that only a gateway reads, and that this app replaces by other means: `plugins`, `plugin_dirs`, `pdp`,
   * `attribute_files`, `authentication`. Without this option they are errors.
   * @default []
   */
  readonly ignoreKeys?: readonly (typeof GATEWAY_KEYS)[number][];
}

/** The section of one route, or the one for requests without a route. */
export interface DocumentSection<Answer = Decision, RuleAnswer = RuleDecision> extends Section<Answer, RuleAnswer> {
  /** `tool:name`, `tool:name@scope` or `global.apl`: the attribute `route.key`. */
  readonly key: string;
  /** How its denials look. */
  readonly response: DenyResponse | undefined;
}

/** A compiled document. It keeps no state. */
export interface PolicyDocument<Answer = Decision, RuleAnswer = RuleDecision> {
  /** The rules for plain HTTP requests: the rules of `global`. */
  readonly global: DocumentSection<Answer, RuleAnswer>;
  /** The sections of all routes by their keys, in the order of the document. */
  readonly routes: ReadonlyMap<string, DocumentSection<Answer, RuleAnswer>>;
  /**
   * The section of a route: the one with this scope, else the one without a scope, else the rules of `global` and of the
   * defaults of its type.
   */
  sectionFor(type: EntityType, name: string, scope?: string): DocumentSection<Answer, RuleAnswer>;
}

/** A document whose answers may be promises. */
export type AsyncPolicyDocument = PolicyDocument<MaybePromise<Decision>, MaybePromise<RuleDecision>>;

type AnySection = DocumentSection<MaybePromise<Decision>, MaybePromise<RuleDecision>>;

const schema = Joi.object<DocumentOptions>({
  ...documentOptions,
  ignoreKeys: Joi.array().items(Joi.valid(...GATEWAY_KEYS)),
});

/**
 * Compiles a document of CPEX: `global`, `global.defaults`, `groups` and `routes`. It is always strict: what CPEX accepts
 * without an effect is an error here.
 *
 * @param document text in YAML (with the package `yaml`) or JSON, or the object that such text stands for
 *
 * @example
 * const policies = compileDocument({
 *   routes: [{ tool: 'send_mail', pre_invocation: [`security.labels contains "secret": deny('no mail', 'tainted')`] }],
 * });
 * policies.sectionFor('tool', 'send_mail').evaluate({ 'security.labels': new Set(['secret']) }).decision; // 'deny'
 *
 * @throws PolicyDocumentError `policy.invalid_document`
 * @throws AplSessionError `config.invalid` for wrong options
 */
// the overload with functions comes first, because only the first one types what they return
export function compileDocument(document: unknown, options: DocumentOptions & AsyncOptions): AsyncPolicyDocument;
export function compileDocument(document: unknown, options?: DocumentOptions & SyncOptions): PolicyDocument;
export function compileDocument(document: unknown, options: DocumentOptions): AsyncPolicyDocument;
export function compileDocument(
  document: unknown,
  options: DocumentOptions = {},
): AsyncPolicyDocument | PolicyDocument {
  const { file, ignoreKeys = [], ...others } = parseOptions('compileDocument', schema, options);
  const context = languageContext(others, true);
  const node = readDocument(document, file);
  if (node.kind !== 'map') {
    throw fault(node.source, `The document is ${kindOfNode(node)}`, 'Write a map with global:, groups: or routes:.');
  }
  const { global, globalResponse, defaults, routes } = parseLayers(node, { ...context, ignoreKeys });
  const section = (key: string, layers: readonly SectionRules[], response?: DenyResponse): AnySection =>
    Object.freeze({ ...sectionOf(mergedRules(layers), context, true), key, response });
  const sections = new Map(
    routes.map(({ entity, name, scope, layers, response }) => {
      const key = routeKey(entity, name, scope);
      return [key, section(key, layers, response)];
    }),
  );
  const defaultsOf = (type: EntityType) => [defaults.get(type)].filter((rules) => rules !== undefined);
  const unlisted = new Map(ENTITY_TYPES.map((type) => [type, section(type, [global, ...defaultsOf(type)])]));
  const globalSection = section('global.apl', [global], globalResponse);
  return Object.freeze({
    global: globalSection,
    routes: sections,
    sectionFor: (type: EntityType, name: string, scope?: string) =>
      (scope === undefined ? undefined : sections.get(routeKey(type, name, scope))) ??
      sections.get(routeKey(type, name)) ??
      Object.freeze({ ...(unlisted.get(type) as AnySection), key: routeKey(type, name, scope) }),
  });
}

function routeKey(type: EntityType, name: string, scope?: string): string {
  return scope === undefined ? `${type}:${name}` : `${type}:${name}@${scope}`;
}
