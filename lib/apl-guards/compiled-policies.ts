import { compileDocument, type DocumentOptions, type DocumentSection } from '../apl/document.js';
import { ENTITY_TYPES, type EntityType, parseLayers } from '../apl/document-layers.js';
import type { MapNode } from '../apl/document-node.js';
import { languageContext } from '../apl/language-options.js';
import { readDocument } from '../apl/read-document.js';
import { invalidConfig } from '../options/invalid-config.js';
import type { AplPoliciesSettings } from './apl-policies-options.js';
import { languageOptionsOf } from './bound-engines.js';
import { argumentChanges } from './changed-fields.js';
import { refuseChanges } from './refuse-changes.js';
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
  sectionFor(entity: Entity): RequestSection;
  /** Whether the document has a route for exactly this entity. */
  has(entity: Entity): boolean;
}

/** @throws PolicyDocumentError; AplSessionError `config.invalid` if the options do not fit the document */
export function compilePolicies(document: unknown, settings: AplPoliciesSettings): CompiledPolicies {
  const { name, ignoreKeys = [] } = settings;
  const language: DocumentOptions = { ...languageOptionsOf(settings), ignoreKeys };
  const compiled = compileDocument(document, language);
  const { file, ...others } = language;
  const context = { ...languageContext(others, true), ignoreKeys };
  // compileDocument() accepts maps only
  const layers = parseLayers(readDocument(document, file) as MapNode, context);
  for (const { entity, scope } of layers.routes) {
    if (entity === 'llm') needs(settings, 'llm', 'has routes for llm');
    if (scope !== undefined) needs(settings, 'scope', 'has routes with meta.scope');
  }
  if (!settings.transformArgs) {
    const all = [layers.global, ...layers.defaults.values(), ...layers.routes.flatMap((route) => route.layers)];
    refuseChanges(name, all.flatMap(argumentChanges));
  }
  const prepared = ({ key, response, ...section }: DocumentSection<unknown, unknown>) =>
    requestSection(key, section as Parameters<typeof requestSection>[1], response, settings);
  const routes = new Map([...compiled.routes].map(([key, section]) => [key, prepared(section)]));
  // no route has an empty name
  const unlisted = new Map(ENTITY_TYPES.map((type) => [type, prepared(compiled.sectionFor(type, ''))]));
  const routeFor = ({ type, name: entity, scope }: Entity) =>
    (scope === undefined ? undefined : routes.get(`${type}:${entity}@${scope}`)) ?? routes.get(`${type}:${entity}`);
  return Object.freeze({
    global: prepared(compiled.global),
    has: (entity: Entity) => routeFor(entity) !== undefined,
    sectionFor: (entity: Entity) =>
      routeFor(entity) ?? { ...(unlisted.get(entity.type) as RequestSection), key: `${entity.type}:${entity.name}` },
  });
}

/** Rules that no request can reach would be skipped. */
function needs(settings: AplPoliciesSettings, option: 'llm' | 'scope', what: string): void {
  if (settings[option] !== undefined) return;
  throw invalidConfig(
    settings.name,
    `the document ${what}, but the option '${option}' is missing. Pass ${option}: (req) => …, a function that returns the name, or undefined`,
  );
}
