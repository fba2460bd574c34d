import { request as httpRequest } from 'node:http';
import { expect } from 'chai';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { type Dashboard, dashboard } from '../../lib/dashboard.js';
import { AplSessionError, MemorySessionStore } from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { serve } from '../support/raw-http.js';

const SESSION = 'session-of-alice';
const HERE = { 'sec-fetch-site': 'same-origin' };

/** A store whose explanation fails or hangs. */
class BrokenStore extends MemorySessionStore {
  readonly #answer: () => Promise<never>;
  readonly deadlineMs = 20;

  constructor(answer: () => Promise<never>) {
    super({ provenance: true });
    this.#answer = answer;
  }

  override explain(): Promise<never> {
    return this.#answer();
  }
}

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`the labels of a session in the dashboard, ${version}`, () => {
    let panel: Dashboard | undefined;
    afterEach(() => panel?.close());

    const appWith = (store: MemorySessionStore, before: RequestHandler = (_req, _res, next) => next()) => {
      panel = dashboard({ access: 'checked-before', store, explain: true });
      return express().set('env', 'test').use(before).use('/panel', panel);
    };
    const explaining = async (): Promise<MemorySessionStore> => {
      const store = new MemorySessionStore({ provenance: { node: 'web-1' } });
      const origin = {
        atMs: Date.parse('2026-01-31T12:00:00Z'),
        route: 'GET /salaries',
        by: 'taint',
        requestId: 'r-1',
      };
      await store.appendLabels(SESSION, ['secret'], new Map([['secret', origin]]));
      return store;
    };
    const ask = (app: Parameters<typeof request>[0], body: object = { sessionId: SESSION }, headers = HERE) =>
      request(app).post('/panel/explain').set(headers).send(body);

    it('answers with each label and its first origin', async () => {
      const { body, headers } = await ask(appWith(await explaining())).expect(200);
      expect(body).to.deep.equal({
        enrolled: false,
        labels: [
          {
            label: 'secret',
            firstAddedAt: '2026-01-31T12:00:00.000Z',
            route: 'GET /salaries',
            by: 'taint',
            node: 'web-1',
            requestId: 'r-1',
          },
        ],
      });
      expect(headers).to.include({ 'content-type': 'application/json; charset=utf-8' });
      expect(headers['cache-control']).to.include('no-store');
    });

    it('works behind a body parser of the app', async () => {
      const { body } = await ask(appWith(await explaining(), express.json())).expect(200);
      expect(body.labels).to.have.length(1);
    });

    it('without the option explain there is no such path', async () => {
      panel = dashboard({ access: 'checked-before', store: await explaining() });
      await ask(express().use('/panel', panel)).expect(404);
    });

    it('only a page of the same origin may ask', async () => {
      const app = appWith(await explaining());
      for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://elsewhere.example' }, {}]) {
        await request(app).post('/panel/explain').set(headers).send({ sessionId: SESSION }).expect(403, 'Forbidden');
      }
      await request(app).get(`/panel/explain?sessionId=${SESSION}`).set(HERE).expect(405).expect('allow', 'POST');
    });

    it('a body that does not fit is 400, and the store is not asked', async () => {
      const app = appWith(new BrokenStore(() => Promise.reject(new Error('asked'))));
      for (const body of [{}, { sessionId: '' }, { sessionId: 7 }, { sessionId: 'x'.repeat(1_025) }, [SESSION]]) {
        await ask(app, body).expect(400);
      }
      await ask(app, { sessionId: SESSION, more: 'x'.repeat(4_096) }).expect(400);
      // what a form of another site can send
      const text = request(app).post('/panel/explain').set(HERE).type('text/plain');
      await text.send(JSON.stringify({ sessionId: SESSION })).expect(400);
      await request(app).post('/panel/explain').set(HERE).type('json').send('{').expect(400);
    });

    it('a body of unknown length is 400', async () => {
      const running = await serve(appWith(await explaining()));
      const headers = { ...HERE, 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
      const status = await new Promise((resolve, reject) => {
        const options = { port: running.port, host: '127.0.0.1', path: '/panel/explain', method: 'POST', headers };
        const asking = httpRequest(options, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
        asking.end(JSON.stringify({ sessionId: SESSION }));
      });
      await running.close();
      expect(status).to.equal(400);
    });

    it('a store that fails: 503 with code and reason, without the id', async () => {
      const failure = new AplSessionError('store.not_permitted', `no rights for ${SESSION}`);
      const { body } = await ask(appWith(new BrokenStore(() => Promise.reject(failure)))).expect(503);
      expect(body).to.deep.equal({ code: 'store.not_permitted', message: 'no rights for ***' });
    });

    it('a store that hangs: 503 after its deadline', async () => {
      const { body } = await ask(appWith(new BrokenStore(() => new Promise(() => {})))).expect(503);
      expect(body).to.include({ code: 'store.timeout' });
    });
  });
}
