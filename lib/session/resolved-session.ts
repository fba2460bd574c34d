import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { ignoreRejection, isPromiseLike } from '../util/maybe-promise.js';

/** The session of a request. */
export interface ResolvedSession {
  /** The id that the store uses. */
  readonly id: string;
  /** How the session was found, for logs and metrics; `custom` if the resolver returns a plain string. */
  readonly source: string;
}

/** A resolver returns this if it can tell why a request has no session. */
export interface NoSession {
  readonly id?: undefined;
  /** A fixed sentence for the alarm `session_missing`; it must hold nothing from the request. */
  readonly reason: string;
}

/** What a resolver may return. `undefined`, `null`, an empty id or a {@link NoSession} mean: the request has no session. */
export type SessionAnswer = string | { readonly id: string; readonly source?: string } | NoSession | null | undefined;

/**
 * Finds the session of a request. Errors of the resolver go to Express's error handling.
 *
 * The id selects the labels, so the client must not be able to choose it freely. Bind it to the authenticated subject, as
 * `subjectSession` does.
 */
export interface SessionResolver {
  (req: Request): SessionAnswer | PromiseLike<SessionAnswer>;

  /**
   * Called if the resolver returned neither a session nor a reason. Returns the reason, as in {@link NoSession}. Errors go to
   * Express's error handling.
   */
  explain?(req: Request): string | undefined;
}

/** Why a request has no session. */
export interface MissingSession {
  readonly id: undefined;
  readonly source: undefined;
  readonly reason: string;
}

/**
 * Checks what a resolver returned.
 * @throws AplSessionError `session.invalid` unless it is a {@link SessionAnswer}
 */
export function toResolvedSession(answer: unknown): ResolvedSession | undefined {
  if (answer === undefined || answer === null || answer === '') return undefined;
  if (typeof answer === 'string') return { id: wellFormed(answer), source: 'custom' };
  if (typeof answer === 'object') {
    const { id, source = 'custom', reason } = answer as { id?: unknown; source?: unknown; reason?: unknown };
    if (id === '' || (id === undefined && typeof reason === 'string')) return undefined;
    if (typeof id === 'string' && typeof source === 'string') return { id: wellFormed(id), source };
  }
  throw new AplSessionError(
    'session.invalid',
    `The session resolver must return a string, { id, source }, { reason }, undefined or null, or a promise of one; got ${kindOfValue(answer)}${fixFor(answer)}.`,
  );
}

function fixFor(answer: unknown): string {
  if (typeof answer === 'number' || typeof answer === 'bigint') return ', so convert it: String(id)';
  if (typeof answer === 'function') {
    return "; 'session' must be a resolver such as subjectSession({ ... }), not a function that makes middleware";
  }
  const { id } = (answer ?? {}) as { id?: unknown };
  if (typeof id === 'number' || typeof id === 'bigint') return ' whose id is a number, so convert it: String(id)';
  return '';
}

/** Takes the reason from the answer, else from the resolver, else a default. */
export function toMissingSession(resolver: SessionResolver, req: Request, answer: unknown): MissingSession {
  const own: unknown = (answer as { reason?: unknown } | null | undefined)?.reason;
  const reason: unknown = typeof own === 'string' ? own : assertReason(resolver.explain?.(req));
  return {
    id: undefined,
    source: undefined,
    reason: typeof reason === 'string' && reason !== '' ? reason : 'the resolver found no session',
  };
}

/**
 * Refuses a promise: its rejection could say that a middleware is not mounted, and the request would be served before.
 * @throws AplSessionError `session.invalid`
 */
export function assertReason<T>(reason: T): T {
  if (!isPromiseLike(reason)) return reason;
  ignoreRejection(reason);
  throw new AplSessionError(
    'session.invalid',
    'explain() must return a string or undefined, not a promise; make it synchronous.',
  );
}

/** All lone surrogates hash like U+FFFD, so two different ids would get one session. */
function wellFormed(id: string): string {
  if (id.isWellFormed()) return id;
  throw new AplSessionError('session.invalid', 'The session id must be a well-formed Unicode string.');
}
