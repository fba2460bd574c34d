/** This package with Valkey and a TTL: one EXPIRE more for each load and each append. */
import { mountOurs } from '../ours.mjs';

export async function mount(app) {
  return mountOurs(app, { kind: 'valkey', endpoint: process.env.BENCH_VALKEY, ttlSeconds: 86_400 });
}
