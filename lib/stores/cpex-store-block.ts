import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { invalidConfig } from '../options/invalid-config.js';
import { assertOwnKeys } from '../options/own-keys.js';
import { parseOptions } from '../options/parse-options.js';
import { isPlainObject } from '../options/plain-object.js';
import type { SessionStoreBlock } from './session-store-registry.js';

/** A `session_store` in a place where it has no effect. */
export interface IgnoredKey {
  /** The place, for example `global.defaults.tool.apl`, `groups.hr` or `routes.tool`. */
  readonly scope: string;
  readonly key: 'session_store';
  readonly message: string;
}

type Mapping = Readonly<Record<string, unknown>>;

const optionsSchema = Joi.object<{ onWarning?: (warning: IgnoredKey) => void }>({ onWarning: Joi.function() });

const KEY = 'session_store';
const ENTITIES = ['tool', 'resource', 'prompt', 'llm'] as const;

/**
 * Takes the store block for `aplSessionMiddleware({ store })` from a CPEX configuration: `global.apl.session_store`, or
 * `global.session_store` if `global` has no `apl`. The default is `{ kind: 'memory' }`. Keys in snake_case become
 * camelCase: `ttl_seconds` becomes `ttlSeconds`. The factory of the store validates the block.
 *
 * @param document the parsed configuration; it is not changed
 * @param options.onWarning called for each `session_store` that is ignored because of its place
 * @default options.onWarning a process warning with the code `APL_CONFIG_KEY_IGNORED`
 * @throws AplSessionError `config.invalid`, `config.store_kind_missing`
 *
 * @example
 * const store = sessionStoreBlock({ global: { session_store: { kind: 'memory', max_sessions: 10_000 } } });
 * app.use(aplSessionMiddleware({ session, store }));
 */
export function sessionStoreBlock(
  document: unknown,
  options: { readonly onWarning?: (warning: IgnoredKey) => void } = {},
): SessionStoreBlock {
  const { onWarning = warnProcess } = parseOptions('sessionStoreBlock', optionsSchema, options);
  if (!isPlainObject(document)) {
    throw invalid('the configuration must be an object; parse its text first');
  }
  const global = sectionOf(document, 'global', 'global');
  for (const scope of ignoredScopes(document, global)) {
    const message = `The ${KEY} in ${scope} is ignored. Move it to global.apl, or to global if there is no apl.`;
    onWarning(Object.freeze({ scope, key: KEY, message }));
  }
  const holder = Object.hasOwn(global, 'apl') ? sectionOf(global, 'apl', 'global.apl') : global;
  if (!Object.hasOwn(holder, KEY)) return Object.freeze({ kind: 'memory' });
  return toBlock(holder[KEY], holder === global ? `global.${KEY}` : `global.apl.${KEY}`);
}

function toBlock(value: unknown, path: string): SessionStoreBlock {
  const block = camelCased(value, path);
  if (!isPlainObject(block)) throw invalid(`${path} must be a mapping with a kind`);
  const { kind } = block;
  if (typeof kind === 'string' && kind !== '') return Object.freeze({ ...block, kind });
  throw new AplSessionError('config.store_kind_missing', `${path} needs a kind, for example kind: valkey.`);
}

/** A section that is missing or null is empty. */
function sectionOf(parent: Mapping, key: string, path: string): Mapping {
  const value = Object.hasOwn(parent, key) ? parent[key] : undefined;
  if (value === undefined || value === null) return {};
  if (!isPlainObject(value)) throw invalid(`${path} must be a mapping`);
  return value;
}

function* ignoredScopes(document: Mapping, global: Mapping): Generator<string> {
  if (Object.hasOwn(document, KEY)) yield 'the top level';
  if (Object.hasOwn(global, 'apl') && Object.hasOwn(global, KEY)) yield 'global';
  for (const layer of ['defaults', 'policies']) {
    for (const [name, section] of Object.entries(asMapping(global[layer]))) {
      if (declares(section)) yield `global.${layer}.${name}.apl`;
    }
  }
  const groups = asMapping(document['groups']);
  if (Object.hasOwn(groups, KEY)) yield 'groups';
  for (const [name, section] of Object.entries(groups)) {
    if (name !== KEY && declares(section)) yield `groups.${name}`;
  }
  const { routes } = document;
  for (const route of Array.isArray(routes) ? routes : Object.values(asMapping(routes))) {
    const entity = ENTITIES.find((name) => Object.hasOwn(asMapping(route), name));
    if (declares(route)) yield entity ? `routes.${entity}` : 'routes';
  }
}

function declares(section: unknown): boolean {
  const outer = asMapping(section);
  return Object.hasOwn(outer, KEY) || Object.hasOwn(asMapping(outer['apl']), KEY);
}

/** Copies a value and changes the keys of nested mappings to camelCase. */
function camelCased(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  assertOwnKeys(path, value);
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).map(([key, member]) => {
    const name = key.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    return [name, camelCased(member, `${path}.${key}`)] as const;
  });
  const names = new Set(entries.map(([name]) => name));
  if (names.size < entries.length)
    throw invalid(`${path} has the same key in snake_case and in camelCase; keep one of them`);
  return Object.freeze(Object.fromEntries(entries));
}

function asMapping(value: unknown): Mapping {
  return isPlainObject(value) ? value : {};
}

function warnProcess({ message }: IgnoredKey): void {
  process.emitWarning(message, { code: 'APL_CONFIG_KEY_IGNORED' });
}

function invalid(fault: string): AplSessionError {
  return invalidConfig('sessionStoreBlock', fault);
}
