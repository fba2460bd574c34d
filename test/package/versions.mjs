// versions.mjs <name of the other copy> <together | conflict>: mounts one version, and uses the guards of the other.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import express from 'express';
import * as own from 'express-apl-session';

const [name, expected] = process.argv.slice(2);
const other = await import(name);
assert.notEqual(own.taint, other.taint);

for (const [mounted, guarding] of [
  [own, other],
  [other, own],
]) {
  const errors = [];
  const app = express();
  const middleware = mounted.aplSessionMiddleware({ session: (req) => req.get('x-session') });
  app.use(middleware);
  app.get('/secret', guarding.taint('secret'), (_req, res) => res.send('x'));
  app.get('/out', guarding.denyIf('secret', { code: 'session_tainted', reason: 'no' }), (_req, res) => res.send('x'));
  app.use((error, _req, res, _next) => {
    errors.push(error);
    res.status(500).send(error.code);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const get = async (path) => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { 'x-session': 's' } });
    return `${response.status} ${await response.text()}`;
  };
  if (expected === 'together') {
    assert.equal(await get('/secret'), '200 x');
    assert.match(await get('/out'), /^403 .*session_tainted/);
  } else {
    assert.equal(await get('/secret'), '500 middleware.conflict');
    assert.equal(await get('/out'), '500 middleware.conflict');
    for (const error of errors) assert(error instanceof own.AplSessionError && error instanceof other.AplSessionError);
  }
  server.closeAllConnections();
  server.close();
  await middleware.close();
}
console.log(`${expected}: ok`);
