import type { Request } from 'express';
import { type SubjectSessionOptions, subjectSession } from '../../lib/index.js';

/** The values that the accessors read, under the names of `subjectSession`. Any value will do, also a promise. */
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

/** The result of `subjectSession` for these values: a promise only if one of the values is a promise. */
export function answerFor(given: Given, keying?: Keying): unknown {
  return subjectSession(accessorsFor(given, keying))({} as Request);
}

/** The session of these values, which must not be promises. */
export function sessionFor(given: Given, keying?: Keying): { id: string; source: string } | undefined {
  return answerFor(given, keying) as { id: string; source: string } | undefined;
}
