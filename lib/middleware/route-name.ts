import type { Request } from 'express';

/** A path segment that may be shown: a word. Anything else may be an id, a token, a name. */
const WORD = /^[A-Za-z][A-Za-z_.-]{0,31}$/;

/**
 * Names a request's route for alarms, `GET /users/:id`: the pattern once Express has matched one, else the path with every
 * segment that is no plain word replaced by `:`. Never holds a query.
 */
export function routeName(req: Request): string {
  const pattern: unknown = req.route?.path;
  // Express takes baseUrl back when a router is done with the request
  const base = masked(req.baseUrl ?? '');
  const path = typeof pattern === 'string' ? pattern : masked(req.path ?? '');
  return `${req.method} ${base}${path}`;
}

function masked(path: string): string {
  return path
    .split('/')
    .map((segment) => (segment === '' || WORD.test(segment) ? segment : ':'))
    .join('/');
}
