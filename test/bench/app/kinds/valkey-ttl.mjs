/** This package with Valkey and a TTL: one EXPIRE more for each load and each append. */
import { mountOurs, valkeyStore } from '../ours.mjs';

export async function mount(app) {
  return mountOurs(app, valkeyStore({ ttlSeconds: 86_400 }));
}
