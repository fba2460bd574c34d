import type { Request } from 'express';
import { type SubjectSessionOptions, subjectSession } from '../../lib/index.js';

/** What the accessors read, under the names of `subjectSession`; anything at all, promises included. */
export interface Given {
  readonly subject?: unknown;
  readonly sessionId?: unknown;
  readonly claim?: unknown;
  readonly caller?: unknown;
  readonly gateway?: unknown;
}

export const KEYING_NAMES = ['cpex', 'strict'] as const;
type Keying = (typeof KEYING_NAMES)[number];

/** Options of `subjectSession` with an accessor for each value given. */
export function accessorsFor(given: Given, keying: Keying = 'cpex'): SubjectSessionOptions {
  const accessors = Object.entries(given).map(([name, value]) => [name, () => value]);
  return { subject: () => undefined, ...Object.fromEntries(accessors), keying };
}

/** What `subjectSession` answers for these values, as it answers: a promise only if there is one among the values. */
export function answerFor(given: Given, keying?: Keying): unknown {
  return subjectSession(accessorsFor(given, keying))({} as Request);
}

/** The session of these values, which must not be promises. */
export function sessionFor(given: Given, keying?: Keying): { id: string; source: string } | undefined {
  return answerFor(given, keying) as { id: string; source: string } | undefined;
}
