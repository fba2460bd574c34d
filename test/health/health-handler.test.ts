import { expect } from 'chai';
import request from 'supertest';
import {
  AplSessionError,
  aplSessionMiddleware,
  type HealthHandlerOptions,
  healthHandler,
  MemorySessionStore,
  type SessionStore,
} from '../../lib/index.js';
import { controllableStore } from '../../lib/testing.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';

/** A store whose pings the test counts and decides. */
class PingedStore extends MemorySessionStore {
  pings = 0;
  answer: () => Promise<number> = async () => 1;

  override ping(): Promise<number> {
    this.pings += 1;
    return this.answer();
  }
}

describe('healthHandler(), options', () => {
  const store = new MemorySessionStore();
  const faults: ReadonlyArray<readonly [what: string, options: unknown, message: RegExp]> = [
    ['no store', {}, /'store' is required.*aplSession\.store/],
    ['a block as the store', { store: { kind: 'memory' } }, /not a SessionStore.*aplSession\.store/],
    ['a store that cannot be probed', { store: new ScriptedStore() }, /'ping' or 'ready'/],
    ['an unknown key', { store, cache: 1 }, /did you mean 'cacheMs'/],
    ['an unknown probe', { store, probe: 'alive' }, /'probe' must be 'ready' or 'live'/],
    ['a cache of more than a minute', { store, cacheMs: 60_001 }, /'cacheMs' must be at most 60000/],
    ['a cache for a handler that makes no probe', { store, probe: 'live', cacheMs: 5 }, /no effect.*remove it/],
    ['details as a text', { store, details: 'yes' }, /'details' must be a boolean/],
  ];
  for (const [what, options, message] of faults) {
    it(`${what}: config.invalid, and the message says how to mend it`, () => {
      const error = thrownBy(() => healthHandler(options as HealthHandlerOptions));
      expect(error).to.include({ code: 'config.invalid' });
      expect((error as Error).message)
        .to.match(message)
        .and.include('healthHandler');
    });
  }
});

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`healthHandler(), ${version}`, () => {
    const appWith = (options: HealthHandlerOptions) =>
      express().set('env', 'test').get('/readyz', healthHandler(options));
    const ask = (options: HealthHandlerOptions) => request(appWith(options)).get('/readyz');

    it('a store that can be reached: 200, as JSON that nobody caches', async () => {
      const { body, headers } = await ask({ store: new MemorySessionStore() }).expect(200);
      expect(body).to.deep.equal({ status: 'ok', store: 'reachable' });
      expect(headers).to.include({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
    });

    it('HEAD has the same status without a body', async () => {
      const store = new MemorySessionStore();
      await request(appWith({ store })).head('/readyz').expect(200);
      await store.close();
      await request(appWith({ store })).head('/readyz').expect(503);
    });

    it('a store that fails: 503, without the reason', async () => {
      const store = new PingedStore();
      store.answer = () => Promise.reject(new AplSessionError('store.login_failed', 'refused at host:6379'));
      await ask({ store }).expect(503, { status: 'failing', store: 'unreachable' });
    });

    it('details: the status of the store, and the reason without credentials', async () => {
      const store = new PingedStore();
      const { body: good } = await ask({ store, details: true }).expect(200);
      expect(good.details).to.deep.include({ connected: true, topology: 'memory' });
      expect(good.details.probe).to.include({ reachable: true });
      expect(good.details.probe.pingMs).to.be.a('number');
      store.answer = () =>
        Promise.reject(new AplSessionError('store.timeout', 'late at redis://user:hunter2@host:6379'));
      const { body, text } = await ask({ store, details: true }).expect(503);
      expect(body.details.probe).to.include({ reachable: false, code: 'store.timeout' });
      expect(text).to.include('late at').and.to.not.include('hunter2');
    });

    it('a store that hangs or throws: 503', async () => {
      const store = new PingedStore();
      Object.assign(store, { deadlineMs: 50 });
      const bad: ReadonlyArray<() => unknown> = [
        () => new Promise(() => {}),
        () => {
          throw new Error('thrown');
        },
      ];
      for (const behaviour of bad) {
        store.answer = behaviour as PingedStore['answer'];
        await ask({ store }).expect(503);
      }
    });

    it('only one probe is in flight, however many requests ask', async () => {
      const store = new PingedStore();
      let settle = (): void => {};
      store.answer = () =>
        new Promise((resolve) => {
          settle = () => resolve(1);
        });
      let arrived = 0;
      const app = express().use((_req, _res, next) => {
        arrived += 1;
        next();
      });
      const server = app.get('/readyz', healthHandler({ store, cacheMs: 0 })).listen(0, '127.0.0.1');
      const asking = Array.from({ length: 20 }, () => request(server).get('/readyz').expect(200).then());
      await eventually(() => expect(arrived).to.equal(20));
      settle();
      await Promise.all(asking);
      expect(store.pings).to.equal(1);
      server.close();
    });

    it('the result of a probe is used for cacheMs, also if it is a failure', async () => {
      for (const [answer, status] of [
        [async () => 1, 200],
        [() => Promise.reject(new Error('down')), 503],
      ] as const) {
        const store = new PingedStore();
        store.answer = answer;
        const app = appWith({ store, cacheMs: 60_000 });
        for (let round = 0; round < 5; round += 1) await request(app).get('/readyz').expect(status);
        expect(store.pings).to.equal(1);
      }
    });

    it('cacheMs 0: each request probes anew', async () => {
      const store = new PingedStore();
      const app = appWith({ store, cacheMs: 0 });
      for (let round = 0; round < 3; round += 1) await request(app).get('/readyz').expect(200);
      expect(store.pings).to.equal(3);
    });

    it('follows a store that a test lets fail, and records no call of it', async () => {
      const store = controllableStore();
      const app = appWith({ store, cacheMs: 0 });
      await request(app).get('/readyz').expect(200);
      store.fail('load');
      await request(app).get('/readyz').expect(503);
      store.restore();
      await request(app).get('/readyz').expect(200);
      expect(store.calls).to.deep.equal([]);
    });

    it('a store without ping() is probed by ready()', async () => {
      let error: Error | undefined;
      const store: SessionStore = Object.assign(new ScriptedStore(), {
        ready: () => (error ? Promise.reject(error) : Promise.resolve()),
      });
      await ask({ store }).expect(200);
      error = new Error('down');
      await ask({ store }).expect(503);
    });

    it('an open circuit: 503; a half-open one: 200, or no request would ever be the probe', async () => {
      for (const [circuit, status] of [
        ['open', 503],
        ['half_open', 200],
        ['closed', 200],
      ] as const) {
        const store = new PingedStore();
        store.status = () => ({ connected: true, since: '', circuit });
        const { body } = await ask({ store }).expect(status);
        expect(body).to.include({ circuit, store: 'reachable' });
      }
    });

    it('a warning of the self-check is told, and refuses nothing', async () => {
      const store = new PingedStore();
      store.status = () => ({
        connected: true,
        since: '',
        findings: [
          { name: 'role', status: 'ok', detail: 'x' },
          { name: 'eviction_policy', status: 'warning', detail: 'x' },
          { name: 'append_fsync', status: 'unknown', detail: 'x' },
        ],
      });
      await ask({ store }).expect(200, { status: 'ok', store: 'reachable', selfCheck: 'warning' });
    });

    it('a status() that throws changes nothing', async () => {
      const store = new PingedStore();
      store.status = () => {
        throw new Error('thrown');
      };
      await ask({ store }).expect(200, { status: 'ok', store: 'reachable' });
    });

    it('live: always 200, and never a probe', async () => {
      const store = new PingedStore();
      store.answer = () => new Promise(() => {});
      await ask({ store, probe: 'live' }).expect(200, { status: 'ok' });
      await store.close();
      const { body } = await ask({ store, probe: 'live', details: true }).expect(200);
      expect(body.details).to.include({ connected: false });
      expect(store.pings).to.equal(0);
    });

    it('the middleware has its store', async () => {
      const store = new PingedStore();
      const session = () => undefined;
      expect(aplSessionMiddleware({ session, store }).store).to.equal(store);
      const own = aplSessionMiddleware({ session });
      await ask({ store: own.store }).expect(200);
      await own.close();
      await ask({ store: own.store }).expect(503);
    });
  });
}
