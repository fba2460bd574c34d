// A complete app in TypeScript that uses every entry. It runs as CommonJS and as ESM.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import {
  AplSessionError,
  type AplSessionOptions,
  aplSessionMiddleware,
  denyIf,
  type SessionStoreFactory,
  subjectSession,
  taint,
} from 'express-apl-session';
import { currentSecurity, securityContext } from 'express-apl-session/context';
import {
  ValkeySessionStore,
  type ValkeySessionStoreOptions,
  valkeySessionStoreFactory,
} from 'express-apl-session/valkey';

const options: AplSessionOptions = {
  session: subjectSession({ subject: (req) => req.get('x-user'), sessionId: (req) => req.get('mcp-session-id') }),
};
const factory: SessionStoreFactory = valkeySessionStoreFactory;
const storeOptions: ValkeySessionStoreOptions = { endpoint: 'localhost:1' };

const addLabel: RequestHandler = (req, res) => {
  currentSecurity().labels.add('seen');
  const labels: Set<string> = req.security.labels;
  res.json([...labels]);
};

export async function main(): Promise<void> {
  const middleware = aplSessionMiddleware(options);
  const app = express();
  app.use(middleware, securityContext());
  app.get('/secret', taint('secret'), addLabel);
  app.get('/out', denyIf('secret', { code: 'session_tainted', reason: 'no' }), addLabel);
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const get = async (path: string, headers: Record<string, string>): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return `${response.status} ${await response.text()}`;
  };

  const alice = { 'x-user': 'alice', 'mcp-session-id': 'chat' };
  assert.equal(await get('/out', alice), '200 ["seen"]');
  assert.equal(await get('/secret', alice), '200 ["seen","secret"]');
  assert.match(await get('/out', alice), /^403 .*"code":"session_tainted"/);
  // a request without a session raises an alarm, so the default logger loads winston
  assert.equal(await get('/secret', {}), '200 ["secret","seen"]');

  assert.throws(
    () => factory.build({ kind: 'valkey', endpont: 'localhost' }),
    (error) => error instanceof AplSessionError && error.code === 'config.invalid',
  );
  await new ValkeySessionStore(storeOptions).close();
  server.closeAllConnections();
  server.close();
  await middleware.close();
}
