/** This package with Valkey, no TTL. */
import { mountOurs } from '../ours.mjs';

export async function mount(app) {
  return mountOurs(app, { kind: 'valkey', endpoint: process.env.BENCH_VALKEY });
}
