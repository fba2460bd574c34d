import Joi from 'joi';
import type { SessionStore } from '../contract/session-store.js';
import { assertCalled } from '../options/assert-called.js';
import { invalidConfig } from '../options/invalid-config.js';
import { parseOptions } from '../options/parse-options.js';
import { isSessionStore } from '../stores/session-store-registry.js';
import { assertStoreMembers } from '../stores/store-members.js';

export interface HealthHandlerOptions {
  /** The store that the app uses: `aplSession.store`, or a store that you have made. It needs a method `ping()` or `ready()`. */
  readonly store: SessionStore;

  /**
   * `ready`: the answer is 200 if the store can be reached and its circuit is not open, else 503. `live`: the answer is always
   * 200, without a probe. A platform restarts a process that is not live, and a restart does not help against an outage of the
   * store.
   * @default 'ready'
   */
  readonly probe?: 'ready' | 'live';

  /**
   * How long the result of a probe is used again, in milliseconds; at most 60000. Only with `probe: 'ready'`.
   * @default 1000
   */
  readonly cacheMs?: number;

  /**
   * Whether the answer also has the status of the store: hosts, ports, the last failure, latency and findings. Use it only on a
   * route that the public cannot reach.
   * @default false
   */
  readonly details?: boolean;
}

export type HealthSettings = Required<HealthHandlerOptions>;

const MAX_CACHE_MS = 60_000;

const schema = Joi.object<HealthSettings>({
  store: Joi.any().required(),
  probe: Joi.string().valid('ready', 'live').default('ready'),
  cacheMs: Joi.number().integer().min(0).max(MAX_CACHE_MS).default(1_000),
  details: Joi.boolean().default(false),
});

const hints = { store: 'Write store: aplSession.store, where aplSession is your aplSessionMiddleware().' };

/** @throws AplSessionError `config.invalid` */
export function parseHealthOptions(options: HealthHandlerOptions): HealthSettings {
  assertCalled('healthHandler', options, "app.get('/readyz', healthHandler({ store: aplSession.store }))");
  const { probe, cacheMs, details } = parseOptions('healthHandler', schema, options, hints);
  // not from parseOptions(): joi copies objects, but a store must keep its identity
  const { store } = options;
  if (!isSessionStore(store)) throw invalidConfig('healthHandler', `'store' is not a SessionStore. ${hints.store}`);
  assertStoreMembers('healthHandler', store);
  if (probe === 'ready' && store.ping === undefined && store.ready === undefined) {
    throw invalidConfig('healthHandler', "the store can not be probed; give it a method 'ping' or 'ready'");
  }
  if (probe === 'live' && options.cacheMs !== undefined) {
    throw invalidConfig('healthHandler', "'cacheMs' has no effect with probe 'live', which makes no probe; remove it");
  }
  return { store, probe, cacheMs, details };
}
