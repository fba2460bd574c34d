import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { assertOwnKeys } from '../util/own-keys.js';
import { parseOptions } from '../util/parse-options.js';
import type { SessionStoreBlock } from './session-store-registry.js';

/** A `session_store` that stands where it has no effect. */
export interface IgnoredKey {
  /** Where it was found, for example `global.defaults.tool.apl`, `groups.hr` or `routes.tool`. */
  readonly scope: string;
  readonly key: 'session_store';
  readonly message: string;
}

type Mapping = Readonly<Record<string, unknown>>;

const optionsSchema = Joi.object<{ onWarning?: (warning: IgnoredKey) => void }>({ onWarning: Joi.function() });

const KEY = 'session_store';
const ENTITIES = ['tool', 'resource', 'prompt', 'llm'] as const;

/**
 * The block for `aplSessionMiddleware({ store })` out of a parsed configuration of CPEX: `global.apl.session_store`, or
 * `global.session_store` where there is no `apl`. Without either, `{ kind: 'memory' }`. Keys in snake_case become
 * camelCase (`ttl_seconds` is `ttlSeconds`). The store checks what is in the block.
 *
 * @param document the configuration after parsing, as an object; it is not changed
 * @param options.onWarning hears of each `session_store` that is ignored because of where it stands. Default: a warning
 * of the process with the code `APL_CONFIG_KEY_IGNORED`
 * @throws AplSessionError `config.invalid`, `config.store_kind_missing`
 */
export function sessionStoreBlock(
  document: unknown,
  options: { readonly onWarning?: (warning: IgnoredKey) => void } = {},
): SessionStoreBlock {
  const { onWarning = warnProcess } = parseOptions('sessionStoreBlock', optionsSchema, options);
  if (!isMapping(document)) {
    throw invalid('sessionStoreBlock needs a configuration that is parsed already, as an object');
  }
  const global = sectionOf(document, 'global', 'global');
  for (const scope of ignoredScopes(document, global)) {
    const message = `The ${KEY} in ${scope} is ignored: it counts in global only, and there in apl if there is one.`;
    onWarning(Object.freeze({ scope, key: KEY, message }));
  }
  const holder = Object.hasOwn(global, 'apl') ? sectionOf(global, 'apl', 'global.apl') : global;
  if (!Object.hasOwn(holder, KEY)) return Object.freeze({ kind: 'memory' });
  return toBlock(holder[KEY], holder === global ? `global.${KEY}` : `global.apl.${KEY}`);
}

function toBlock(value: unknown, path: string): SessionStoreBlock {
  const block = camelCased(value, path);
  if (!isMapping(block)) throw invalid(`${path} must be a mapping with a kind`);
  const { kind } = block;
  if (typeof kind === 'string' && kind !== '') return Object.freeze({ ...block, kind });
  throw new AplSessionError('config.store_kind_missing', `${path} has no kind. Name one, for example kind: valkey.`);
}

/** A section that is absent or null contributes nothing. */
function sectionOf(parent: Mapping, key: string, path: string): Mapping {
  const value = Object.hasOwn(parent, key) ? parent[key] : undefined;
  if (value === undefined || value === null) return {};
  if (!isMapping(value)) throw invalid(`${path} must be a mapping`);
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

/** A value with the keys of all mappings in it in camelCase. */
function camelCased(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  assertOwnKeys(path, value);
  if (!isMapping(value)) return value;
  const entries = Object.entries(value).map(([key, member]) => {
    const name = key.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    return [name, camelCased(member, `${path}.${key}`)] as const;
  });
  const names = new Set(entries.map(([name]) => name));
  if (names.size < entries.length) throw invalid(`${path} has a key twice, in snake_case and in camelCase`);
  return Object.freeze(Object.fromEntries(entries));
}

function isMapping(value: unknown): value is Mapping {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function asMapping(value: unknown): Mapping {
  return isMapping(value) ? value : {};
}

function warnProcess({ message }: IgnoredKey): void {
  process.emitWarning(message, { code: 'APL_CONFIG_KEY_IGNORED' });
}

function invalid(fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `${fault}.`);
}
