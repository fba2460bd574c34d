/** This package with Valkey, for sessions with up to 10,000 labels. */
import { mountOurs, valkeyStore } from '../ours.mjs';

export async function mount(app) {
  return mountOurs(app, valkeyStore({ maxLabelsPerSession: 10_000 }), { maxLabelsPerSession: 10_000 });
}
