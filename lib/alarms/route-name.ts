import type { Request } from 'express';
import { withoutSecrets } from './redact.js';

/** Path segments that an alarm may show. Any other may be an id, a token or a name. */
const WORD = /^[A-Za-z][A-Za-z_-]{0,31}$/;

/**
 * A request's route for alarms, for example `GET /users/:id`: the mount path of the router, with `:` in place of every segment
 * that is not a plain word, then the pattern. Before Express has matched a route it is `GET *`, because any segment of the path
 * may be an id.
 */
export function routeName(req: Request, secrets: Iterable<string>): string {
  const pattern: unknown = req.route?.path;
  if (pattern === undefined) return `${req.method} *`;
  // Express resets baseUrl to undefined when the outermost router has finished
  return withoutSecrets(`${req.method} ${masked(req.baseUrl ?? '')}${String(pattern)}`, secrets);
}

function masked(path: string): string {
  if (path === '') return '';
  return path
    .split('/')
    .map((segment) => (segment === '' || WORD.test(segment) ? segment : ':'))
    .join('/');
}
