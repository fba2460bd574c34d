import { ENTITY_TYPES, type EntityType, parseLayers } from '../apl/document-layers.js';
import { kindOfNode } from '../apl/document-node.js';
import { languageContext } from '../apl/language-options.js';
import { readDocument } from '../apl/read-document.js';
import { mergedRules } from '../apl/section-source.js';
import { fault } from '../apl/source-text.js';
import { invalidConfig } from '../options/invalid-config.js';
import type { AplPoliciesSettings } from './apl-policies-options.js';
import { languageOptionsOf } from './bound-engines.js';
import { type RequestSection, requestSection } from './request-section.js';

/** What a section is for. */
export interface Entity {
  readonly type: EntityType;
  readonly name: string;
  readonly scope: string | undefined;
}

/** A document, prepared for requests. It keeps no state. */
export interface CompiledPolicies {
  /** The rules for requests that are for no entity. */
  readonly global: RequestSection;
  /** Whether the document has rules besides `global`. */
  readonly hasEntities: boolean;
  /** Whether the document has rules for tools. */
  readonly hasTools: boolean;
  /** The section of a route: the one with this scope, else the one without a scope, else the rules of its type. */
  sectionFor(entity: Entity): RequestSection;
  /** Whether the document has a route for exactly this entity. */
  has(entity: Entity): boolean;
}

/** @throws PolicyDocumentError; AplSessionError `config.invalid` if the options do not fit the document */
export function compilePolicies(document: unknown, settings: AplPoliciesSettings): CompiledPolicies {
  const { file, ...language } = languageOptionsOf(settings);
  const context = { ...languageContext(language, true), ignoreKeys: settings.ignoreKeys ?? [] };
  const node = readDocument(document, file);
  if (node.kind !== 'map') {
    throw fault(node.source, `The document is ${kindOfNode(node)}`, 'Write a map with global:, groups: or routes:.');
  }
  const layers = parseLayers(node, context);
  const { global, globalResponse, defaults } = layers;
  const routes = new Map(
    layers.routes.map((route) => {
      assertReachable(route.entity, route.scope, settings);
      const entity = { type: route.entity, name: route.name, scope: route.scope };
      const { layers: rules, response } = route;
      return [idOf(entity), requestSection(keyOf(entity), mergedRules(rules), response, context, settings)] as const;
    }),
  );
  const unlisted = new Map(
    ENTITY_TYPES.map((type) => {
      const rules = mergedRules([global, ...[defaults.get(type)].filter((own) => own !== undefined)]);
      return [type, requestSection(`global.defaults.${type}`, rules, undefined, context, settings)];
    }),
  );
  return Object.freeze({
    global: requestSection('global.apl', global, globalResponse, context, settings),
    hasEntities: routes.size > 0 || defaults.size > 0,
    hasTools: defaults.has('tool') || layers.routes.some(({ entity }) => entity === 'tool'),
    has: (entity: Entity) => routes.has(idOf(entity)),
    sectionFor: (entity: Entity) =>
      routes.get(idOf(entity)) ??
      routes.get(idOf({ ...entity, scope: undefined })) ?? {
        ...(unlisted.get(entity.type) as RequestSection),
        key: keyOf(entity),
      },
  });
}

/** A name may hold any character, so the parts are not just joined. */
function idOf({ type, name, scope }: Entity): string {
  return JSON.stringify([type, name, scope]);
}

/** The attribute `route.key`. */
function keyOf({ type, name, scope }: Entity): string {
  return scope === undefined ? `${type}:${name}` : `${type}:${name}@${scope}`;
}

/** Rules that no request can reach would be skipped. */
function assertReachable(type: EntityType, scope: string | undefined, settings: AplPoliciesSettings): void {
  const missing =
    type === 'llm' && !settings.llm ? 'llm' : scope !== undefined && !settings.scope ? 'scope' : undefined;
  if (missing === undefined) return;
  throw invalidConfig(
    settings.name,
    `the document has routes ${missing === 'llm' ? 'for llm' : 'with meta.scope'}, but the option '${missing}' is missing. Pass ${missing}: (req) => …, a function that returns the name, or undefined`,
  );
}
