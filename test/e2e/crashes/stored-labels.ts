import type { SessionStore } from '../../../lib/index.js';
import { sha256Hex } from '../../../lib/session/digest.js';
import { type Acknowledgement, forEachInParallel } from './session-load.js';

/** The key in Valkey. */
export function keyOf(session: string): string {
  return `taint:v1:${sha256Hex(session)}`;
}

/** The acknowledged labels that a load of the store does not return. */
export async function missingIn(
  observer: SessionStore,
  acknowledged: readonly Acknowledgement[],
): Promise<Acknowledgement[]> {
  const stored = new Map<string, ReadonlySet<string>>();
  await forEachInParallel(new Set(acknowledged.map(({ session }) => session)), async (session) => {
    stored.set(session, new Set(await observer.loadLabels(session)));
  });
  return acknowledged.filter(({ session, label }) => !stored.get(session)?.has(label));
}
