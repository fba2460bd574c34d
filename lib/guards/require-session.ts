import type { RequestHandler } from 'express';
import { SESSION_REQUIRED } from '../denial/violations.js';
import { assertCalled } from '../options/assert-called.js';
import { decidingGuard } from './guard.js';
import { ENFORCE, type GuardOptions, parseGuardOptions } from './guard-options.js';

/**
 * A guard that denies a request without a session: 403 `session.required`.
 *
 * @example
 * app.use('/tools', requireSession());
 *
 * @throws AplSessionError `config.invalid` at construction; `middleware.missing` goes to Express's error handling
 */
export function requireSession(options?: GuardOptions): RequestHandler {
  assertCalled('requireSession', options, "app.use('/path', requireSession())");
  const settings = parseGuardOptions('requireSession', options, ENFORCE);
  return decidingGuard(settings, (_req, { sessionId }) => (sessionId === undefined ? SESSION_REQUIRED : undefined));
}
