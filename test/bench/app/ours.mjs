/** What the kinds of this package share. `BENCH_DIST` is the folder with the compiled package. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const importFromDist = (name) => import(pathToFileURL(join(process.env.BENCH_DIST, name)).href);

const { aplSessionMiddleware, subjectSession, taint: taintGuard } = await importFromDist('index.js');
const { valkeySessionStoreFactory } = await importFromDist('valkey.js');

export { importFromDist };

/** The store of Valkey. Under Valgrind everything takes many times as long, so the deadlines are long. */
export function valkeyStore(options = {}) {
  const deadlines = { connectTimeoutMs: 30_000, commandTimeoutMs: 60_000 };
  return { kind: 'valkey', endpoint: process.env.BENCH_VALKEY, ...deadlines, ...options };
}

/** The Valkey of the benchmarks is not durable, and the middleware warns about that. */
const logger = { warn() {}, error: console.error };

export function mountOurs(app, store, options = {}) {
  const middleware = aplSessionMiddleware({
    session: subjectSession({ subject: (req) => req.get('x-subject'), sessionId: (req) => req.get('mcp-session-id') }),
    store,
    storeFactories: [valkeySessionStoreFactory],
    logger,
    ...options,
  });
  app.use(middleware);
  app.get('/write-ahead', taintGuard('secret'), (_req, res) => {
    res.json({ id: 4711, name: 'Ada Lovelace', notes: ['first', 'second', 'third'], active: true });
  });
  return {
    taint(req) {
      req.security.labels.add('secret');
    },
  };
}
