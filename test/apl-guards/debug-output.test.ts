import { expect } from 'chai';
import { runModule } from '../support/node-child.js';

const APP = `
  import express from 'express';
  import { aplSessionMiddleware } from './lib/index.ts';
  import { apl } from './lib/apl.ts';
  const app = express();
  app.use(express.json());
  app.use(aplSessionMiddleware({ session: () => 'session-of-alice', logger: { warn() {}, error() {} } }));
  const rules = { args: { to: 'enum(boss)' }, post_invocation: ['taint(secret-label)', 'deny'] };
  app.post('/', apl(rules, { name: 'mail' }), (req, res) => res.send('answered'));
  const server = app.listen(0, '127.0.0.1', async () => {
    for (const to of ['stranger-7', 'boss']) {
      const url = 'http://127.0.0.1:' + server.address().port;
      const headers = { 'content-type': 'application/json' };
      await (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ to }) })).text();
    }
    server.closeAllConnections();
    server.close();
  });
`;

describe('the debug output of rules', function () {
  this.timeout(60_000);

  it('names the guard and the place of the rule that denies, and shows no value and no label', async () => {
    const { stderr } = await runModule(APP, { DEBUG: 'express-apl-session' });
    expect(stderr).to.match(/mail: the rule global\.apl\.args\.to denies/);
    expect(stderr).to.match(/mail: the rule global\.apl\.post_invocation\[1\] denies/);
    for (const secret of ['stranger-7', 'secret-label', 'session-of-alice']) expect(stderr).to.not.include(secret);
  });
});
