import { expect } from 'chai';
import { type ChildResult, runModule } from '../support/node-child.js';
import { describeWithValkey } from '../support/valkey.js';

/** With `process.nextTick` faked, no server of Node listens; vitest leaves it and microtasks alone, jest keeps it from Node. */
const WITHOUT_NEXT_TICK = `['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate',
  'Date', 'performance', 'hrtime', 'queueMicrotask']`;

/** An app, its client, and a stopped clock. All modules are loaded before the clock stops. */
const PROGRAM = `
  import { createServer, request } from 'node:http';
  import FakeTimers from '@sinonjs/fake-timers';
  import express from 'express';
  import { aplSessionMiddleware, denyIf, MemorySessionStore, openSession, policy, taint } from './lib/index.js';
  import { ValkeySessionStore } from './lib/valkey.js';

  const logger = { warn() {}, error() {} };
  async function play(store, options) {
    const app = express().set('env', 'test');
    app.use(aplSessionMiddleware({ session: () => 'of-fake-timers', store, logger, ...options }));
    app.get('/clean', policy(async () => ({ allow: true })), (_req, res) => res.send('clean'));
    app.get('/salary', taint('secret'), (_req, res) => res.send('98000'));
    app.get('/late', (req, res) => { req.security.labels.add('late'); res.write('a'); res.end('b'); });
    app.get('/mail', denyIf('secret', { code: 'c', reason: 'r' }), (_req, res) => res.send('sent'));
    const server = createServer(app);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const ask = (path) => new Promise((resolve, reject) => {
      const asked = request({ port: server.address().port, path, agent: false }, (res) => {
        let text = '';
        res.on('data', (data) => { text += data; });
        res.on('end', () => resolve(res.statusCode + ' ' + (res.statusCode === 403 ? JSON.parse(text).code : text)));
      });
      asked.on('error', reject).end();
    });
    const answers = [];
    for (const path of ['/clean', '/mail', '/salary', '/mail', '/late', '/clean']) answers.push(await ask(path));
    server.closeAllConnections();
    server.close();
    await store.close?.();
    return answers;
  }
  const report = (value) => console.log(JSON.stringify(value));
`;
const ANSWERS = ['200 clean', '200 sent', '200 98000', '403 c', '200 ab', '200 clean'];

async function under(fakes: string, body: string): Promise<unknown> {
  const source = `${PROGRAM}\nconst clock = FakeTimers.install(${fakes});\ntry {\n${body}\n} finally { clock.uninstall(); }`;
  const { stdout, stderr, code }: ChildResult = await runModule(source);
  expect({ stderr, code }).to.deep.equal({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

describeWithValkey('faked timers', (server) => {
  const fakes = `{ toFake: ${WITHOUT_NEXT_TICK} }`;

  for (const options of ['', '{ ttlSeconds: 60 }']) {
    it(`requests on a MemorySessionStore(${options}) are answered`, async () => {
      expect(await under(fakes, `report(await play(new MemorySessionStore(${options})));`)).to.deep.equal(ANSWERS);
    });
  }

  for (const options of ['', 'ttlSeconds: 60', 'circuitBreaker: {}']) {
    it(`requests on a ValkeySessionStore({ ${options} }) are answered`, async () => {
      await server().flush();
      const store = `new ValkeySessionStore({ endpoint: ${JSON.stringify(server().url)}, connectTimeoutMs: 2_000, ${options} })`;
      expect(await under(fakes, `report(await play(${store}));`)).to.deep.equal(ANSWERS);
    });
  }

  it('G2: a store that hangs times out by the real clock', async () => {
    const hanging = '{ loadLabels: () => new Promise(() => {}), appendLabels: async () => {} }';
    const answers = await under(fakes, `report(await play(${hanging}, { storeTimeoutMs: 50 }));`);
    expect(answers).to.deep.equal(Array.from({ length: 6 }, () => '403 session.load_failed'));
  });

  it('a clock that is moved forward expires no call', async () => {
    const body = `
      let answer;
      const store = { loadLabels: () => new Promise((resolve) => { answer = resolve; }), appendLabels: async () => {} };
      const opening = openSession({ session: 's', store, storeTimeoutMs: 10_000, logger });
      clock.tick(60_000);
      answer(['stored']);
      report([...(await opening).labels]);`;
    expect(await under(fakes, body)).to.deep.equal(['stored']);
  });

  it('an open session works with every timer faked, microtasks too', async () => {
    const body = `
      const store = new MemorySessionStore();
      const session = await openSession({ session: 's', store, logger });
      session.labels.add('a');
      await session.persist();
      session.labels.add('b');
      await session.close();
      report(await store.loadLabels('s'));`;
    expect(await under('{}', body)).to.deep.equal(['a', 'b']);
  });
});
