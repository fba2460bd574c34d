/** This package with Valkey, no TTL, and labels added through the context of the request. */
import { importFromDist, mountOurs } from '../ours.mjs';

const { currentSecurity, securityContext } = await importFromDist('context.js');

export async function mount(app) {
  mountOurs(app, { kind: 'valkey', endpoint: process.env.BENCH_VALKEY });
  app.use(securityContext());
  return {
    taint() {
      currentSecurity().labels.add('secret');
    },
  };
}
