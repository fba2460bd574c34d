import type { Request, RequestHandler, Response } from 'express';
import { answer, begin } from './answers.js';
import {
  type DashboardAccess,
  type DashboardOptions,
  type DashboardSettings,
  parseDashboardOptions,
} from './dashboard-options.js';
import { type ExplainingStore, explainSession } from './explain-session.js';
import { LiveStreams } from './live-streams.js';
import { Monitor } from './monitor.js';
import { ASSETS, type Asset } from './page/assets.js';
import { isSameOrigin } from './same-origin.js';

const EVENTS = '/events';
const EXPLAIN = '/explain';

/** The result of `dashboard()`: mount it with `app.use(path, …)`. */
export interface Dashboard extends RequestHandler {
  /** Ends the open pages and stops collecting. Call it before the server closes. Later requests are answered with 503. */
  close(): void;
}

/**
 * Creates a live page about this process for administrators: requests, denials, the times of loads, appends and holds, the health
 * of the store, alarms and recoveries, and what guards in observe mode would have denied. With `explain` it also shows the labels
 * of a session; all else holds no label, no session id and no subject. It collects from its construction on.
 *
 * Mount it before `aplSessionMiddleware()`, so that it works while the store fails.
 *
 * @throws AplSessionError `config.invalid`
 *
 * @example
 * app.use('/admin/apl', requireAdmin, dashboard({ access: 'checked-before', store: aplSession.store }));
 */
export function dashboard(options: DashboardOptions): Dashboard {
  const settings = parseDashboardOptions(options);
  const { access, store, explaining, maxViewers } = settings;
  const streams: LiveStreams = new LiveStreams(maxViewers, () => monitor.snapshot());
  const monitor: Monitor = new Monitor(store, explaining !== undefined, streams);
  let state: 'open' | 'closed' = 'open';
  const handle = async (req: Request, res: Response): Promise<void> => {
    if (!(await isAllowed(access, req))) answer(res, 403, 'Forbidden');
    else if (state === 'closed') answer(res, 503, 'The dashboard is closed.');
    else await serve(req, res, { settings, streams });
  };
  const handler: RequestHandler = (req, res, next) => {
    handle(req, res).catch(next);
  };
  const close = (): void => {
    state = 'closed';
    monitor.close();
    streams.close();
  };
  return Object.assign(handler, { close });
}

async function isAllowed(access: DashboardAccess, req: Request): Promise<boolean> {
  return access === 'checked-before' || (await access(req)) === true;
}

interface Panel {
  readonly settings: DashboardSettings;
  readonly streams: LiveStreams;
}

async function serve(req: Request, res: Response, { settings, streams }: Panel): Promise<void> {
  const asset = ASSETS.get(req.path);
  if (asset) serveAsset(req, res, asset);
  else if (req.path === EXPLAIN && settings.explaining) await serveExplanation(req, res, settings.explaining);
  else if (req.path !== EVENTS) answer(res, 404, 'Not Found');
  else if (req.method !== 'GET') refuseMethod(res, 'GET');
  else serveEvents(req, res, streams);
}

function serveAsset(req: Request, res: Response, { text, type }: Asset): void {
  if (req.method !== 'GET' && req.method !== 'HEAD') refuseMethod(res, 'GET, HEAD');
  // the addresses in the page are relative to a path that ends with a slash
  else if (req.path === '/' && !pathOf(req).endsWith('/')) redirectToSlash(req, res);
  else answer(res, 200, text, type);
}

function serveEvents(req: Request, res: Response, streams: LiveStreams): void {
  if (!isSameOrigin(req)) {
    answer(res, 403, 'Forbidden');
  } else if (streams.isFull) {
    res.setHeader('Retry-After', '10');
    answer(res, 503, 'Too many pages are open.');
  } else {
    begin(res, 200, 'text/event-stream');
    // for nginx, which would keep events back
    res.setHeader('X-Accel-Buffering', 'no');
    streams.add(res);
  }
}

async function serveExplanation(req: Request, res: Response, store: ExplainingStore): Promise<void> {
  if (req.method !== 'POST') refuseMethod(res, 'POST');
  else if (!isSameOrigin(req)) answer(res, 403, 'Forbidden');
  else await explainSession(store, req, res);
}

function refuseMethod(res: Response, allow: string): void {
  res.setHeader('Allow', allow);
  answer(res, 405, 'Method Not Allowed');
}

function pathOf(req: Request): string {
  return req.originalUrl.split('?', 1)[0] ?? '';
}

/** The address is relative, so that it leads to no other host, and is right behind a proxy that changes paths. */
function redirectToSlash(req: Request, res: Response): void {
  const segment = pathOf(req).split('/').at(-1) ?? '';
  res.setHeader('Location', `./${segment}/`);
  answer(res, 308, 'The dashboard is at the same address with a slash at its end.');
}
