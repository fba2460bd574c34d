import { invalidConfig } from '../options/invalid-config.js';
import { kindOfValue } from '../options/kind-of-value.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import { type Attributes, assertAttributes } from './attributes.js';
import { compileSection } from './compile.js';
import type { RuleDecision } from './decision.js';
import { type AsyncPolicyDocument, compileDocument, type DocumentSection, type PolicyDocument } from './document.js';
import { ENTITY_TYPES } from './document-layers.js';
import { readDocument } from './read-document.js';
import type { Section } from './section.js';

export type AnySection = Section<unknown, MaybePromise<RuleDecision>>;

/**
 * The section that decides: a section itself; of a document, the one that the attribute `route.key` names, else `global`. Text and
 * plain objects are compiled.
 * @throws PolicyDocumentError; AplSessionError `config.invalid` for another value
 */
export function sectionOfDocument(given: unknown, attributes: Attributes): AnySection {
  if (typeof given !== 'string' && (typeof given !== 'object' || given === null)) {
    throw invalidConfig(
      'explain',
      `the first argument must be a section, a document or its text; got ${kindOfValue(given)}`,
    );
  }
  assertAttributes(attributes);
  if (isSection(given)) return given;
  if (isPolicies(given)) return routeOf(given, attributes['route.key']);
  const node = readDocument(given, undefined);
  const isDocument = node.kind === 'map' && ['global', 'groups', 'routes'].some((name) => node.entries.has(name));
  return isDocument ? routeOf(compileDocument(given), attributes['route.key']) : compileSection(given);
}

function routeOf(
  document: AsyncPolicyDocument | PolicyDocument,
  key: unknown,
): DocumentSection<unknown, MaybePromise<RuleDecision>> {
  if (typeof key !== 'string') return document.global;
  const [type, ...rest] = key.split(':');
  const entity = ENTITY_TYPES.find((name) => name === type);
  return document.routes.get(key) ?? (entity ? document.sectionFor(entity, rest.join(':')) : document.global);
}

function isSection(given: object | string): given is AnySection {
  return typeof (given as Partial<AnySection>).decide === 'function';
}

function isPolicies(given: object | string): given is AsyncPolicyDocument | PolicyDocument {
  return typeof (given as Partial<PolicyDocument>).sectionFor === 'function';
}
