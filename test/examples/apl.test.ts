import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import request from 'supertest';
import { createApp } from '../../examples/apl/app.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { describeWithValkey } from '../support/valkey.js';

const DOCUMENT = readFileSync(new URL('../../examples/apl/policies.yaml', import.meta.url), 'utf8');

describeWithValkey('the example apl, labels in Valkey', (valkey) => {
  const stores: ValkeySessionStore[] = [];
  const node = () => {
    const store = new ValkeySessionStore({ endpoint: valkey().url });
    stores.push(store);
    return createApp(DOCUMENT, { store, logger: { warn() {}, error() {} } });
  };
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });
  const as = (user: string, session = 'chat') => ({ authorization: `Bearer ${user}-token`, 'mcp-session-id': session });
  const mail = (app: ReturnType<typeof node>['app'], headers: object) =>
    request(app)
      .post('/email')
      .set(headers as Record<string, string>)
      .send({ to: 'bob@corp.example' });

  it('one document refuses mail on another node, for this session only', async () => {
    await valkey().flush();
    const [first, second] = [node().app, node().app];
    await mail(second, as('alice')).expect(202);
    const { body } = await request(first).get('/compensation').set(as('alice')).expect(200);
    expect(body).to.deep.equal({ name: 'Ada', salary: 98_000, ssn: '[REDACTED]' });
    await mail(second, as('alice')).expect(403, /session_tainted/);
    await mail(second, as('alice', 'other')).expect(202);
    await mail(second, as('bob')).expect(202);
  });

  it('a path in capitals and HEAD do not get around the rules of a route', async () => {
    await valkey().flush();
    const { app } = node();
    await request(app).head('/COMPENSATION/').set(as('alice')).expect(200);
    await mail(app, as('alice')).expect(403, /session_tainted/);
    await request(app)
      .get('/Compensation')
      .set(as('bob'))
      .expect(403, /hr_only/);
  });

  it('G2: nothing is answered while the store is away', async () => {
    await valkey().flush();
    const { app } = node();
    await Promise.all(stores.map((store) => store.close()));
    await request(app)
      .get('/compensation')
      .set(as('alice'))
      .expect(403, /session\.load_failed/);
  });
});
