import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';

/** A request's session: the id that the store uses, and how it was found. */
export interface ResolvedSession {
  readonly id: string;
  /** For logs and metrics; `custom` where a resolver returns a plain string. */
  readonly source: string;
}

/** What a resolver may return. `undefined`, `null` and an empty id mean: this request has no session. */
export type SessionAnswer = string | { readonly id: string; readonly source?: string } | null | undefined;

/**
 * Finds the session of a request. A resolver that throws or rejects sends the request to Express's error handling.
 * The id addresses the session's labels, so it must never be a value that the client may choose freely:
 * bind it to the authenticated subject, as `subjectSession` does.
 */
export type SessionResolver = (req: Request) => SessionAnswer | PromiseLike<SessionAnswer>;

/**
 * Checks what a resolver returned.
 * @throws AplSessionError `session.invalid` for anything else than a {@link SessionAnswer}
 */
export function toResolvedSession(answer: unknown): ResolvedSession | undefined {
  if (answer === undefined || answer === null || answer === '') return undefined;
  if (typeof answer === 'string') return { id: wellFormed(answer), source: 'custom' };
  if (typeof answer === 'object') {
    const { id, source = 'custom' } = answer as { id?: unknown; source?: unknown };
    if (id === '') return undefined;
    if (typeof id === 'string' && typeof source === 'string') return { id: wellFormed(id), source };
  }
  throw new AplSessionError(
    'session.invalid',
    'The session resolver must return a string, { id, source }, undefined or null, or a promise of one.',
  );
}

/** Lone surrogates all hash like U+FFFD, so two such ids would share one session. */
function wellFormed(id: string): string {
  if (id.isWellFormed()) return id;
  throw new AplSessionError('session.invalid', 'The session id is not a well-formed Unicode string.');
}
