/** This package with Valkey, no TTL. */
import { mountOurs, valkeyStore } from '../ours.mjs';

export async function mount(app) {
  return mountOurs(app, valkeyStore());
}
