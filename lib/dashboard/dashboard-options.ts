import type { Request } from 'express';
import Joi from 'joi';
import type { SessionStore } from '../contract/session-store.js';
import { assertCalled } from '../options/assert-called.js';
import { invalidConfig } from '../options/invalid-config.js';
import { parseOptions } from '../options/parse-options.js';
import { isSessionStore } from '../stores/session-store-registry.js';

/**
 * A function that says whether a request may see the dashboard, or `checked-before`: the app has checked that before the request
 * reaches the dashboard.
 */
export type DashboardAccess = ((req: Request) => boolean | Promise<boolean>) | 'checked-before';

export interface DashboardOptions {
  /**
   * Who may see the dashboard. The function is called for each request; only `true` lets it in, and any other result is answered
   * with 403. If it throws, its error goes to the error handler of the app. `checked-before` is for an app that mounts the
   * dashboard behind its own authentication of administrators.
   */
  readonly access: DashboardAccess;

  /** The store whose health is shown: `aplSession.store`. Without it there is no section about the store. */
  readonly store?: SessionStore;

  /**
   * How many pages can be open at the same time, in this process; at most 1000. One more is answered with 503.
   * @default 20
   */
  readonly maxViewers?: number;
}

export interface DashboardSettings {
  readonly access: DashboardAccess;
  readonly store: SessionStore | undefined;
  readonly maxViewers: number;
}

const schema = Joi.object<DashboardSettings>({
  access: Joi.any().required(),
  store: Joi.any(),
  maxViewers: Joi.number().integer().min(1).max(1_000).default(20),
});

const hints = {
  access:
    "Write a function (req) => boolean that knows your administrators, or access: 'checked-before' if the dashboard is mounted behind your own authentication of administrators.",
  store: 'Write store: aplSession.store, where aplSession is your aplSessionMiddleware().',
};

/** @throws AplSessionError `config.invalid` */
export function parseDashboardOptions(options: DashboardOptions): DashboardSettings {
  assertCalled('dashboard', options, "app.use('/admin/apl', dashboard({ access, store: aplSession.store }))");
  const { maxViewers } = parseOptions('dashboard', schema, options, hints);
  // not from parseOptions(): joi copies objects, but a store must keep its identity
  const { access, store } = options;
  if (typeof access !== 'function' && access !== 'checked-before') {
    throw invalidConfig('dashboard', `'access' must be a function or 'checked-before'. ${hints.access}`);
  }
  if (store !== undefined && !isSessionStore(store)) {
    throw invalidConfig('dashboard', `'store' is not a SessionStore. ${hints.store}`);
  }
  return Object.freeze({ access, store, maxViewers });
}
