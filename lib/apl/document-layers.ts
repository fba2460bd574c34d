import { nearestName } from '../options/nearest-name.js';
import { type DenyResponse, mapOf, parseResponse } from './deny-response.js';
import { kindOfNode, type MapEntry, type MapNode } from './document-node.js';
import type { LanguageContext } from './language-context.js';
import { checkKeys, mergedRules, parseSection, type SectionRules } from './section-source.js';
import { fault, type SourceText } from './source-text.js';

export const ENTITY_TYPES = ['tool', 'resource', 'prompt', 'llm'] as const;

/** The requests that a route applies to. */
export type EntityType = (typeof ENTITY_TYPES)[number];

/** Keys that only a gateway reads. The app must say that it does the same by other means. */
export const GATEWAY_KEYS = ['plugins', 'plugin_dirs', 'pdp', 'attribute_files', 'authentication'] as const;

/** The rules of a document, before they are merged. */
export interface DocumentLayers {
  readonly global: SectionRules;
  readonly globalResponse: DenyResponse | undefined;
  readonly defaults: ReadonlyMap<EntityType, SectionRules>;
  readonly routes: readonly RouteLayers[];
}

export interface RouteLayers {
  readonly entity: EntityType;
  readonly name: string;
  readonly scope: string | undefined;
  /** The least specific first. */
  readonly layers: readonly SectionRules[];
  readonly response: DenyResponse | undefined;
}

interface DocumentContext extends LanguageContext {
  readonly ignoreKeys: readonly string[];
}

const PLUGIN_SETTINGS = [
  ...['routing_enabled', 'plugin_timeout', 'short_circuit_on_deny', 'parallel_execution_within_band'],
  ...['fail_on_plugin_error', 'route_cache_max_entries'],
];

/** Reads a whole document. */
export function parseLayers(document: MapNode, context: DocumentContext): DocumentLayers {
  checkKeys(document, ['version', 'global', 'groups', 'routes', 'plugin_settings', ...context.ignoreKeys], context);
  checkPluginSettings(document, context);
  const globalSection = optionalMap(document, 'global');
  const also = ['response', 'session_store', 'defaults', 'policies', ...context.ignoreKeys];
  const global = globalSection ? parseSection(globalSection, 'global.apl', also, context) : undefined;
  const defaults = parseDefaults(globalSection, context);
  const groups = parseGroups(document, globalSection, context);
  const routes = routesOf(document).flatMap((route) => parseRoute(route, { global, defaults, groups }, context));
  refuseDuplicates(routes);
  return {
    global: global ?? mergedRules([]),
    globalResponse: globalSection && parseResponse(globalSection, context),
    defaults,
    routes: routes.map(({ place: _, ...route }) => route),
  };
}

function checkPluginSettings(document: MapNode, context: LanguageContext): void {
  const settings = optionalMap(document, 'plugin_settings');
  if (!settings) return;
  checkKeys(settings, PLUGIN_SETTINGS, context);
  const routing = settings.entries.get('routing_enabled');
  if (routing?.value.kind === 'scalar' && routing.value.value !== true) {
    throw fault(routing.key, 'CPEX evaluates no route without it', 'Write routing_enabled: true.');
  }
}

function parseDefaults(global: MapNode | undefined, context: DocumentContext): Map<EntityType, SectionRules> {
  const defaults = new Map<EntityType, SectionRules>();
  for (const [name, entry] of (global && optionalMap(global, 'defaults'))?.entries ?? []) {
    const entity = ENTITY_TYPES.find((type) => type === name);
    if (!entity) throw fault(entry.key, 'Unknown type of a route', `The types are ${ENTITY_TYPES.join(', ')}.`);
    defaults.set(entity, parseInnerSection(entry, `global.defaults.${name}.apl`, context));
  }
  return defaults;
}

function parseGroups(
  document: MapNode,
  global: MapNode | undefined,
  context: DocumentContext,
): ReadonlyMap<string, SectionRules> {
  const maps = [optionalMap(document, 'groups'), global && optionalMap(global, 'policies')];
  const groups = new Map<string, SectionRules>();
  for (const [name, entry] of maps.flatMap((map) => [...(map?.entries ?? [])])) {
    if (groups.has(name)) throw fault(entry.key, 'The group is also below global.policies', 'Keep one of them.');
    if (name === 'all')
      throw fault(entry.key, 'CPEX applies the rules of this group to no route', 'Move them to global:.');
    groups.set(name, parseInnerSection(entry, `global.policies.${name}.apl`, context));
  }
  return groups;
}

/** A section that cannot have a response of its own. */
function parseInnerSection(entry: MapEntry, name: string, context: DocumentContext): SectionRules {
  const section = mapOf(entry, 'Write authorization:, args: or result: below it.');
  const response = section.entries.get('response');
  if (response) throw fault(response.key, 'A response: has no effect here', 'Write it in global: or in a route.');
  return parseSection(section, name, ['description', 'metadata', ...context.ignoreKeys], context);
}

function routesOf(document: MapNode): readonly MapNode[] {
  const entry = document.entries.get('routes');
  if (!entry) return [];
  const fix = 'Write a list of routes: - tool: name.';
  if (entry.value.kind !== 'list') throw fault(entry.key, `routes: is ${kindOfNode(entry.value)}`, fix);
  return entry.value.items.map((value) => mapOf({ key: value.source, value }, fix));
}

interface Inherited {
  readonly global: SectionRules | undefined;
  readonly defaults: ReadonlyMap<EntityType, SectionRules>;
  readonly groups: ReadonlyMap<string, SectionRules>;
}

function parseRoute(
  route: MapNode,
  { global, defaults, groups }: Inherited,
  context: DocumentContext,
): (RouteLayers & { readonly place: SourceText })[] {
  const joined = route.entries.get('groups');
  if (joined)
    throw fault(
      joined.key,
      'CPEX does not apply the rules of groups that are joined so',
      'Write meta: { tags: [name] }.',
    );
  const when = route.entries.get('when');
  if (when) throw fault(when.key, 'A route cannot have a condition here', 'Write the condition into its rules.');
  const [entity, ...others] = ENTITY_TYPES.filter((type) => route.entries.has(type));
  if (!entity || others.length > 0) {
    throw fault(route.source, 'A route needs exactly one of tool, resource, prompt and llm', 'Write - tool: name.');
  }
  const { tags, scope } = parseMeta(route, groups, context);
  const response = parseResponse(route, context);
  return namesOf(route.entries.get(entity) as MapEntry).map((place) => {
    const name = place.text;
    const key = scope === undefined ? `${entity}:${name}` : `${entity}:${name}@${scope}`;
    const own = parseSection(route, `routes.${key}.apl`, [entity, 'meta', 'response', ...context.ignoreKeys], context);
    const layers = [global, defaults.get(entity), ...tags.map((tag) => groups.get(tag)), own];
    return { entity, name, scope, response, place, layers: layers.filter((layer) => layer !== undefined) };
  });
}

function namesOf({ key, value }: MapEntry): readonly SourceText[] {
  const items = value.kind === 'list' ? value.items : [value];
  return items.map((item) => {
    if (item.kind !== 'text' || item.source.text === '') {
      throw fault(key, `The name of the route is ${kindOfNode(item)}`, 'Write a name, or a list of names.');
    }
    if (/[*?[\]{}]/.test(item.source.text)) {
      const fix = 'Write the names, or write rules for all routes into global: or global.defaults.';
      throw fault(item.source, 'CPEX does not evaluate the rules of a route with a pattern', fix);
    }
    return item.source;
  });
}

function parseMeta(
  route: MapNode,
  groups: ReadonlyMap<string, SectionRules>,
  context: LanguageContext,
): { tags: readonly string[]; scope: string | undefined } {
  const meta = optionalMap(route, 'meta');
  if (!meta) return { tags: [], scope: undefined };
  checkKeys(meta, ['tags', 'scope', 'properties'], context);
  const [tags, scope] = [meta.entries.get('tags'), meta.entries.get('scope')];
  if (scope && (scope.value.kind !== 'text' || scope.value.source.text === '')) {
    throw fault(scope.key, `The scope is ${kindOfNode(scope.value)}`, 'Write a name.');
  }
  if (tags && tags.value.kind !== 'list') throw fault(tags.key, `tags: is ${kindOfNode(tags.value)}`, 'Write a list.');
  const names = tags?.value.kind === 'list' ? tags.value.items : [];
  return {
    tags: names.map((tag) => {
      if (tag.kind !== 'text') throw fault(tag.source, `The tag is ${kindOfNode(tag)}`, 'Write the name of a group.');
      if (groups.has(tag.source.text)) return tag.source.text;
      const near = nearestName(tag.source.text, [...groups.keys()]);
      const fix = near === undefined ? 'Define it below groups:, or remove the tag.' : `Did you mean ${near}?`;
      throw fault(tag.source, 'There is no group of this name', fix);
    }),
    scope: scope?.value.kind === 'text' ? scope.value.source.text : undefined,
  };
}

function refuseDuplicates(routes: readonly (RouteLayers & { readonly place: SourceText })[]): void {
  const seen = new Set<string>();
  for (const { entity, name, scope, place } of routes) {
    // as in `route.key`: a name with @ and a scope could give the same key
    const key = scope === undefined ? `${entity}:${name}` : `${entity}:${name}@${scope}`;
    if (seen.has(key)) throw fault(place, 'Another route has the same name and scope', 'Merge the two routes.');
    seen.add(key);
  }
}

function optionalMap({ entries }: MapNode, name: string): MapNode | undefined {
  const entry = entries.get(name);
  return entry && mapOf(entry, 'Write a map.');
}
