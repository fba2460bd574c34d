import type { Request } from 'express';
import { withoutSecrets } from './redact.js';

/** A path segment that may be shown: a word. Anything else may be an id, a token, a name. */
const WORD = /^[A-Za-z][A-Za-z_-]{0,31}$/;

/**
 * Names a request's route for alarms, `GET /users/:id`: the path under which the router is mounted, with every segment that
 * is no plain word replaced by `:`, and the pattern. Before Express has matched a route, `GET *`: what the path
 * holds is not known then.
 */
export function routeName(req: Request, secrets: Iterable<string>): string {
  const pattern: unknown = req.route?.path;
  if (pattern === undefined) return `${req.method} *`;
  // Express takes baseUrl back when a router is done with the request
  return withoutSecrets(`${req.method} ${masked(req.baseUrl ?? '')}${String(pattern)}`, secrets);
}

function masked(path: string): string {
  return path
    .split('/')
    .map((segment) => (segment === '' || WORD.test(segment) ? segment : ':'))
    .join('/');
}
