import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sha256Hex } from '../../lib/session/digest.js';
import { compilerFaults } from '../support/compiler.js';
import { snippetsOf } from '../support/documents.js';
import { runModule } from '../support/node-child.js';
import { exchange, get, Wire } from '../support/raw-http.js';
import { describeWithDedicatedValkey, type TestValkey } from '../support/valkey.js';
import { type AddedLabel, StoppingProcess, sessionOf, writeLifecycle } from './stopping-process.js';

const DOCUMENT = 'docs/start-and-stop.md';
const MEMORY = ['no store', 'a memory store', 'a block of a memory store'];
const VALKEY = [
  'a Valkey store',
  'a block of a Valkey store',
  'a Valkey store with a client',
  'a block of a Valkey store with a client',
];
const NUMBERS = [0, 1, 2, 3, 4];

describe(`${DOCUMENT}`, () => {
  it('its TypeScript compiles', () => {
    const code = snippetsOf(DOCUMENT).map((snippet) => snippet.code);
    expect(code).to.have.length(2);
    expect(compilerFaults(code.join('\n'))).to.equal('');
  });
});

describe('start and stop in real processes', function () {
  this.timeout(30_000);
  const folder = mkdtempSync(join(tmpdir(), 'apl-lifecycle-'));
  const asDocumented = writeLifecycle(folder);
  const withShortGrace = writeLifecycle(folder, 200);
  const started: StoppingProcess[] = [];

  async function start(STORE: string, env: NodeJS.ProcessEnv = {}, LIFECYCLE = asDocumented): Promise<StoppingProcess> {
    const app = await StoppingProcess.start({ STORE, LIFECYCLE, ...env });
    started.push(app);
    return app;
  }

  afterEach(() => Promise.all(started.splice(0).map((app) => app.kill())));
  after(() => rmSync(folder, { recursive: true }));

  /** Sends a request, and waits until its handler has added a label. */
  async function begin(app: StoppingProcess, path: string): Promise<Wire> {
    const wire = new Wire(app.port);
    wire.send(get(path));
    await app.until(() => app.hasAdded(path, 'secret'));
    return wire;
  }

  async function expectCleanExit(app: StoppingProcess): Promise<void> {
    expect(await app.ended()).to.deep.equal({ code: 0, signal: null, stderr: '' });
  }

  /** Stops an app with one request in flight and one idle connection. */
  async function expectGracefulStop(app: StoppingProcess): Promise<void> {
    const idle = new Wire(app.port);
    idle.send(get('/quick/1'));
    await idle.until(/quick$/);
    const inFlight = await begin(app, '/slow/1');
    app.terminate();
    await app.until(() => app.hasAdded('/slow/1', 'late'));
    expect(await inFlight.until(/slow$/)).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    inFlight.destroy();
    await expectCleanExit(app);
    expect(idle.ending).to.equal('end');
    expect(app.alarms).to.deep.equal([]);
  }

  for (const store of MEMORY) {
    it(`${store}: SIGTERM ends the process by itself, after the request in flight`, async () => {
      await expectGracefulStop(await start(store));
    });
  }

  it('requests on kept connections are answered with Connection: close during the stop', async () => {
    const app = await start('no store');
    const kept = await begin(app, '/stream/1');
    const other = await begin(app, '/unanswered/1');
    app.terminate();
    await kept.until(/last\r\n0\r\n\r\n$/);
    const before = kept.received.length;
    kept.send(get('/quick/1'));
    const answer = (await kept.closed()).slice(before);
    expect(answer)
      .to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*quick$/)
      .and.to.include('\r\nConnection: close\r\n');
    other.destroy();
    await expectCleanExit(app);
  });

  it('a request that never ends is cut after the grace period', async () => {
    const app = await start('no store', {}, withShortGrace);
    const wire = await begin(app, '/unanswered/1');
    app.terminate();
    await wire.closed();
    await expectCleanExit(app);
  });

  it('G2: ready() that rejects ends the program with status 1 and the code', async () => {
    const { code, stderr } = await runModule(`
      import { aplSessionMiddleware } from './lib/index.ts';
      import { valkeySessionStoreFactory } from './lib/valkey.ts';
      const aplSession = aplSessionMiddleware({
        session: () => 'alice',
        store: { kind: 'valkey', endpoint: '127.0.0.1:1' },
        storeFactories: [valkeySessionStoreFactory],
      });
      await aplSession.ready();
    `);
    expect(code).to.equal(1);
    expect(stderr).to.include('store.unavailable');
  });

  describeWithDedicatedValkey('with Valkey', (server) => {
    const startOn = (valkey: TestValkey, store = 'a block of a Valkey store', env: NodeJS.ProcessEnv = {}) =>
      start(store, { VALKEY_ENDPOINT: valkey.url, ...env });
    const isStored = async ({ path, label }: AddedLabel): Promise<boolean> =>
      (await server().admin.sismember(`taint:v1:${sha256Hex(sessionOf(path))}`, label)) === 1;
    const lostOf = async (app: StoppingProcess): Promise<readonly unknown[]> => {
      const stored = await Promise.all(app.added.map(isStored));
      return app.added.filter((_, index) => !stored[index]);
    };

    beforeEach(() => server().flush());

    for (const store of VALKEY) {
      it(`${store}: SIGTERM ends the process by itself, and all labels are stored`, async () => {
        const app = await startOn(server(), store);
        await expectGracefulStop(app);
        expect(app.added).to.have.length(3);
        expect(await lostOf(app)).to.deep.equal([]);
      });
    }

    it('ready(): the connection is made before the app listens', async () => {
      await server().admin.config('RESETSTAT');
      await startOn(server());
      expect(await server().admin.info('commandstats')).to.match(/^cmdstat_smembers:calls=1,/m);
    });

    it('G7: SIGTERM under load loses no label of slow, aborted and answered requests', async () => {
      const app = await startOn(server());
      const answered = new Set<string>();
      const load = [1, 2, 3, 4, 5, 6, 7, 8].map((client) => sendUntilRefused(app.port, client, answered));
      const [slow, streams, aborted] = await Promise.all(
        ['slow', 'stream', 'unanswered'].map((kind) =>
          Promise.all(NUMBERS.map((number) => begin(app, `/${kind}/${number}`))),
        ),
      );
      for (const wire of aborted ?? []) wire.destroy();
      for (const number of NUMBERS) await exchange(app.port, get(`/answered/${number}`, { Connection: 'close' }));
      await app.until(() => answered.size > 100);

      app.terminate();
      for (const wire of slow ?? []) expect(await wire.until(/slow$/)).to.match(/^HTTP\/1\.1 200 OK\r\n/);
      for (const wire of streams ?? []) expect(await wire.until(/0\r\n\r\n$/)).to.match(/first, \r\n4\r\nlast\r\n0/);
      for (const wire of [...(slow ?? []), ...(streams ?? [])]) wire.destroy();
      await Promise.all(load);
      await expectCleanExit(app);

      expect(app.alarms).to.deep.equal([]);
      expect(app.added.filter(({ label }) => label === 'late')).to.have.length(4 * NUMBERS.length);
      expect(await lostOf(app)).to.deep.equal([]);
      const received = [...answered].map((path) => ({ path, label: 'secret' }));
      expect(await Promise.all(received.map(isStored))).to.not.include(false);
    });

    it('G7: responses that are held at SIGTERM leave when their labels are stored', async () => {
      const app = await startOn(server(), 'a block of a Valkey store', { COMMAND_TIMEOUT_MS: '10000' });
      const wires = await Promise.all(NUMBERS.map((number) => begin(app, `/slow/${number}`)));
      await server().stop();
      try {
        app.terminate();
        await app.until(() => NUMBERS.every((number) => app.hasAdded(`/slow/${number}`, 'late')));
        expect(wires.map(({ received }) => received).join('')).to.equal('');
      } finally {
        await server().cont();
      }
      for (const wire of wires) {
        expect(await wire.until(/slow$/)).to.match(/^HTTP\/1\.1 200 OK\r\n/);
        wire.destroy();
      }
      await expectCleanExit(app);
      expect(app.alarms).to.deep.equal([]);
      expect(app.added).to.have.length(2 * NUMBERS.length);
      expect(await lostOf(app)).to.deep.equal([]);
    });

    it('G7: appends of aborted requests are awaited when the server has closed', async () => {
      const app = await startOn(server(), 'a block of a Valkey store', { COMMAND_TIMEOUT_MS: '10000' });
      const aborted = await Promise.all(NUMBERS.map((number) => begin(app, `/unanswered/${number}`)));
      await server().stop();
      try {
        for (const wire of aborted) wire.destroy();
        app.terminate();
        await app.until(() => app.serverClosed);
      } finally {
        await server().cont();
      }
      await expectCleanExit(app);
      expect(app.alarms).to.deep.equal([]);
      expect(app.added).to.have.length(2 * NUMBERS.length);
      expect(await lostOf(app)).to.deep.equal([]);
    });

    it('G7: while Valkey hangs, each label that is not stored is an alarm, and the process ends', async () => {
      const app = await startOn(server(), 'a block of a Valkey store', { COMMAND_TIMEOUT_MS: '200' });
      const wires = await Promise.all(NUMBERS.map((number) => begin(app, `/slow/${number}`)));
      const aborted = await Promise.all(NUMBERS.map((number) => begin(app, `/unanswered/${number}`)));
      await server().stop();
      try {
        for (const wire of aborted) wire.destroy();
        app.terminate();
        for (const wire of wires) {
          expect(await wire.until(/"\}$/)).to.match(/^HTTP\/1\.1 403 Forbidden\r\n/);
          wire.destroy();
        }
        await expectCleanExit(app);
      } finally {
        await server().cont();
      }
      const alarmed = new Set(app.alarms.filter(({ op }) => op === 'append').map(({ route }) => route));
      expect([...alarmed]).to.include.members(app.added.map(({ path }) => `GET ${path}`));
    });
  });
});

/** Sends one request after the other, each of another session, until the server is gone. Notes the paths that were answered. */
async function sendUntilRefused(port: number, client: number, answered: Set<string>): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const send = (path: string): Promise<boolean> =>
    new Promise((resolve) => {
      const request = http.get({ host: '127.0.0.1', port, path, agent }, (res) => {
        answered.add(path);
        res.on('close', () => resolve(true)).resume();
      });
      request.on('error', () => resolve(false));
    });
  let number = 10;
  do number += 1;
  while (await send(`/quick/${client}-${number}`));
  agent.destroy();
}
