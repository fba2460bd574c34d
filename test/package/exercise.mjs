// @ts-check
import assert from 'node:assert/strict';
import { once } from 'node:events';
import express from 'express';
import { currentSecurity, securityContext } from 'express-apl-session/context';

/**
 * Taints a session of the installed package and sees it refused.
 * @param {{ middleware: import('express-apl-session').AplSessionMiddleware } &
 *   Pick<typeof import('express-apl-session'), 'denyIf' | 'taint'>} parts
 */
export async function exercise({ middleware, denyIf, taint }) {
  const app = express();
  app.use(middleware, securityContext());
  app.get('/secret', taint('secret'), (_req, res) => {
    res.send('x');
  });
  app.get('/labels', (req, res) => {
    currentSecurity().labels.add('seen');
    res.json([...req.security.labels]);
  });
  app.get('/out', denyIf('secret', { code: 'session_tainted', reason: 'no' }), (_req, res) => {
    res.send('sent');
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert(typeof address === 'object' && address);

  /** @param {string} path @param {string} user */
  const get = async (path, user) => {
    const headers = { 'x-user': user, 'mcp-session-id': 'chat' };
    const response = await fetch(`http://127.0.0.1:${address.port}${path}`, { headers });
    return { status: response.status, text: await response.text() };
  };
  assert.deepEqual(await get('/out', 'alice'), { status: 200, text: 'sent' });
  assert.deepEqual(await get('/secret', 'alice'), { status: 200, text: 'x' });
  assert.deepEqual(await get('/labels', 'alice'), { status: 200, text: '["secret","seen"]' });
  const denied = await get('/out', 'alice');
  assert.equal(denied.status, 403);
  assert.equal(JSON.parse(denied.text).code, 'session_tainted');
  assert.deepEqual(await get('/out', 'bob'), { status: 200, text: 'sent' });

  server.closeAllConnections();
  server.close();
  await middleware.close();
}
