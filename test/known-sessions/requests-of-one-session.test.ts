import { createRequire } from 'node:module';
import { expect } from 'chai';
import express, { type Express, type Response } from 'express';
import serverlessHttp from 'serverless-http';
import { currentSecurity, securityContext, writeAhead } from '../../lib/context.js';
import {
  type Alarm,
  type AplSessionMiddleware,
  type AplSessionOptions,
  aplSessionMiddleware,
  denyIf,
  type RequestSecurity,
  type SessionStore,
} from '../../lib/index.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { get, serve, Wire } from '../support/raw-http.js';

/** Its types need the types of AWS. */
const { configure: codegenie } = createRequire(import.meta.url)('@codegenie/serverless-express') as {
  configure(options: { app: Express }): Invoke;
};
type Invoke = (event: object, context: object) => Promise<unknown>;

const silent = { warn() {}, error() {} };

/** A store in memory whose appends fail or wait when the test says so. */
class SwitchedStore implements SessionStore {
  readonly stored = new Map<string, Set<string>>();
  readonly appended: string[] = [];
  ttlSeconds: number | undefined;
  /** The sessions whose appends fail. */
  fails: (id: string) => boolean = () => false;
  held: Promise<void> | undefined;
  underWay = 0;
  mostUnderWay = 0;

  labelsOf(id: string): string[] {
    return [...(this.stored.get(id) ?? [])];
  }

  async loadLabels(id: string): Promise<string[]> {
    return this.labelsOf(id);
  }

  async appendLabels(id: string, labels: readonly string[]): Promise<void> {
    this.appended.push(id);
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    await (this.held ?? new Promise(setImmediate));
    this.underWay -= 1;
    if (this.fails(id)) throw new Error(`SADD ${id} ${labels.join(' ')} failed`);
    this.stored.set(id, new Set([...this.labelsOf(id), ...labels]));
  }
}

describe('requests of one session: cases that went wrong', () => {
  let store: SwitchedStore;
  let alarms: Alarm[];
  let middleware: AplSessionMiddleware;
  let goOn: Deferred<void>;
  let port: number;
  const cleanUp: Array<() => unknown> = [];

  beforeEach(() => {
    store = new SwitchedStore();
    alarms = [];
    goOn = deferred();
  });
  afterEach(async () => {
    goOn.resolve();
    for (const clean of cleanUp.splice(0).reverse()) await clean();
  });

  function appWith(options: Partial<AplSessionOptions> = {}): Express {
    middleware = aplSessionMiddleware({
      session: (req) => req.get('x-session') ?? 's',
      store,
      storeTimeoutMs: 60_000,
      logger: silent,
      onAlarm: (alarm) => void alarms.push(alarm),
      ...options,
    });
    const app = express().set('env', 'test').use(middleware);
    app.get('/add/:label', (req, res) => {
      req.security.labels.add(req.params.label);
      res.send('added');
    });
    app.get('/labels', (req, res) => void res.json([...req.security.labels]));
    app.get('/ping', (_req, res) => void res.send('pong'));
    app.get('/mail', denyIf('secret', { code: 'tainted', reason: 'the session is tainted' }), (_req, res) => {
      res.send('sent');
    });
    return app;
  }

  async function start(app: Express): Promise<void> {
    const running = await serve(app);
    port = running.port;
    cleanUp.push(running.close);
  }

  async function ask(path: string, session = 's'): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-session': session } });
    return { status: answer.status, text: await answer.text() };
  }

  function wire(...requests: string[]): Wire {
    const opened = new Wire(port);
    cleanUp.push(() => opened.destroy());
    opened.send(requests.join(''));
    return opened;
  }

  /** Leaves each of these sessions with a label that could not be stored. */
  async function owe(...ids: string[]): Promise<void> {
    store.fails = () => true;
    for (const id of ids) expect((await ask('/add/PII', id)).status).to.equal(403);
    store.fails = () => false;
    store.appended.length = 0;
    alarms.length = 0;
  }

  describe('labels of a load', () => {
    const CASES: Readonly<Record<string, () => Promise<unknown>>> = {
      'owes a label': () => owe('s'),
      'finds that the store has lost a label': async () => {
        expect((await ask('/add/PII')).status).to.equal(200);
        store.stored.clear();
      },
    };
    beforeEach(() => start(appWith()));

    for (const [name, prepare] of Object.entries(CASES)) {
      it(`G2: a request that ${name} is denied for another stored label`, async () => {
        await prepare();
        store.stored.set('s', new Set(['secret']));
        expect(await ask('/mail')).to.have.property('status', 403);
        expect(store.labelsOf('s')).to.have.members(['PII', 'secret']);
      });

      it(`G5: a request that ${name} has that label and all stored ones`, async () => {
        await prepare();
        store.stored.set('s', new Set(['secret']));
        expect(JSON.parse((await ask('/labels')).text)).to.have.members(['PII', 'secret']);
      });
    }
  });

  describe('labels that a request received from another one', () => {
    beforeEach(() => {
      store.ttlSeconds = 0.02;
    });

    /** The process forgets what was acknowledged when the session is used again after the TTL. */
    async function forget(): Promise<void> {
      const startedMs = performance.now();
      await eventually(() => performance.now() - startedMs > 25);
      expect((await ask('/ping')).status).to.equal(200);
    }

    async function waiting(): Promise<{ answer: Promise<{ text: string }> }> {
      const begun = deferred<void>();
      const app = appWith();
      app.get('/waits', async (req, res) => {
        begun.resolve();
        await goOn.promise;
        res.json([...req.security.labels]);
      });
      await start(app);
      const before = store.held && ask('/add/secret');
      if (before) await eventually(() => store.underWay === 1);
      const answer = ask('/waits');
      await begun.promise;
      return { answer };
    }

    it('G5: stay its labels, though the process has forgotten the session', async () => {
      const { answer } = await waiting();
      await ask('/add/secret');
      await forget();
      goOn.resolve();
      expect((await answer).text).to.equal('["secret"]');
    });

    it('G5: stay its labels, also if they were pending when it began', async () => {
      const appending = deferred<void>();
      store.held = appending.promise;
      const { answer } = await waiting();
      appending.resolve();
      await eventually(() => store.labelsOf('s').length === 1);
      await forget();
      goOn.resolve();
      expect((await answer).text).to.equal('["secret"]');
    });
  });

  describe('a pipelined response that the app destroys', () => {
    /** From Node 24 on, the connection of such a response stays open, also without the middleware. */
    const nodeClosesIt = Number.parseInt(process.versions.node, 10) < 24;
    /** What the client gets, once nothing more comes. */
    async function allOf(pipeline: Wire): Promise<string> {
      if (nodeClosesIt) return pipeline.closed();
      await pipeline.until(/first/);
      await ask('/more');
      return pipeline.received;
    }

    it('can end without a head while another request adds labels', async () => {
      const appending = deferred<void>();
      store.held = appending.promise;
      const app = appWith();
      const ended = deferred<void>();
      const added = deferred<void>();
      app.get('/first', async (_req, res) => {
        await goOn.promise;
        res.send('first');
      });
      app.get('/destroyed', (req, res) => {
        req.security.labels.add('l');
        res.destroy(new Error('of the app'));
        res.end('destroyed');
        ended.resolve();
      });
      app.get('/more', async (req, res) => {
        req.security.labels.add('m');
        added.resolve();
        await req.security.persist();
        req.security.labels.add('n');
        res.send('more');
      });
      await start(app);
      const pipeline = wire(get('/first', { 'x-session': 'other' }), get('/destroyed'));
      await ended.promise;
      const more = ask('/more');
      await added.promise;
      goOn.resolve();
      await pipeline.until(/first$/);
      const next = deferred<void>();
      store.held = next.promise;
      appending.resolve();
      await eventually(() => store.appended.length === 2);
      store.held = undefined;
      next.resolve();
      expect(await more).to.deep.equal({ status: 200, text: 'more' });
      expect(store.labelsOf('s')).to.have.members(['l', 'm', 'n']);
      expect(await allOf(pipeline)).not.to.include('destroyed');
    });

    it('does not end cleanly if it was destroyed half-way', async () => {
      const app = appWith();
      const ended = deferred<void>();
      app.get('/first', async (_req, res) => {
        await goOn.promise;
        res.send('first');
      });
      app.get('/half', (req, res) => {
        req.security.labels.add('l');
        res.write('half of it');
        res.destroy(new Error('of the app'));
        res.end();
        ended.resolve();
      });
      await start(app);
      const pipeline = wire(get('/first', { 'x-session': 'other' }), get('/half'));
      await ended.promise;
      goOn.resolve();
      const text = await allOf(pipeline);
      expect(text).to.include('first');
      expect(text).not.to.include('0\r\n\r\n');
    });
  });

  const event = (session: string) => ({
    version: '2.0',
    routeKey: '$default',
    rawPath: '/kept',
    rawQueryString: '',
    headers: { host: 'test', 'x-session': session },
    requestContext: { http: { method: 'GET', path: '/kept', sourceIp: '127.0.0.1', protocol: 'HTTP/1.1' } },
    isBase64Encoded: false,
  });
  const RUNTIMES: Readonly<Record<string, (app: Express) => Invoke>> = {
    'serverless-http': (app) => serverlessHttp(app),
    '@codegenie/serverless-express': (app) => codegenie({ app }),
  };
  for (const [name, invokerOf] of Object.entries(RUNTIMES)) {
    describe(name, () => {
      let kept: RequestSecurity;
      function invoker(options: Partial<AplSessionOptions>): Invoke {
        const app = appWith(options);
        app.get('/kept', (req, res) => {
          kept = req.security;
          kept.labels.add('early');
          res.send('kept');
        });
        return invokerOf(app);
      }

      it('a request leaves its session after the response', async () => {
        const invoke = invoker({ maxKnownSessions: 2 });
        for (let n = 1; n <= 5; n++) expect(await invoke(event(`s${n}`), {})).to.include({ statusCode: 200 });
      });

      it('G7: a label that is added after the response is appended', async () => {
        await invoker({})(event('s'), {});
        kept.labels.add('late');
        await eventually(() => expect(store.labelsOf('s')).to.deep.equal(['early', 'late']));
      });
    });
  }

  describe('late labels', () => {
    it('G7: a label added after res.end() is appended before the client reads', async () => {
      const answered = deferred<{ res: Response; security: RequestSecurity }>();
      const app = appWith();
      app.get('/large', (req, res) => {
        res.end(Buffer.alloc(50_000_000));
        answered.resolve({ res, security: req.security });
      });
      await start(app);
      wire(get('/large')).socket.pause();
      const { res, security } = await answered.promise;
      await new Promise(setImmediate);
      security.labels.add('secret');
      await eventually(() => expect(store.labelsOf('s')).to.deep.equal(['secret']), { withinMs: 1_000 });
      expect(res.writableFinished).to.equal(false);
    });

    it('a late label that is stored already does not reopen its session', async () => {
      const securities: RequestSecurity[] = [];
      const app = appWith({ maxKnownSessions: 1 });
      app.get('/kept', (req, res) => {
        // created now, so that it does not receive the label of the other request
        expect(req.security.labels.size).to.equal(0);
        res.once('close', () => securities.push(req.security));
        res.send('kept');
      });
      await start(app);
      await Promise.all([ask('/kept'), ask('/kept')]);
      await eventually(() => securities.length === 2);
      securities[0]?.labels.add('secret');
      await eventually(() => expect(store.labelsOf('s')).to.deep.equal(['secret']));
      securities[1]?.labels.add('secret');
      await eventually(async () => expect((await ask('/ping', 'other')).status).to.equal(200), { withinMs: 1_000 });
    });
  });

  describe('owed labels', () => {
    it('G7: are appended one by one once any append succeeds', async () => {
      await start(appWith());
      await owe('a', 'b', 'c');
      store.mostUnderWay = 0;
      expect((await ask('/add/x', 'd')).status).to.equal(200);
      await eventually(() => ['a', 'b', 'c'].every((id) => store.labelsOf(id).includes('PII')));
      expect(store.appended).to.deep.equal(['d', 'a', 'b', 'c']);
      expect(store.mostUnderWay).to.equal(1);
    });

    it('G7: are appended once a session is refused because of the limit', async () => {
      await start(appWith({ maxKnownSessions: 1 }));
      await owe('a');
      expect((await ask('/ping', 'b')).status).to.equal(403);
      expect(alarms[0]).to.include({ op: 'load', code: 'session.capacity_exceeded' });
      await eventually(() => expect(store.labelsOf('a')).to.deep.equal(['PII']));
      expect((await ask('/ping', 'b')).status).to.equal(200);
    });

    it('G6: an alarm for them names neither labels nor session', async () => {
      await start(appWith());
      await owe('session-of-alice');
      store.fails = (id) => id === 'session-of-alice';
      expect((await ask('/add/other', 'session-of-bob')).status).to.equal(200);
      await eventually(() => alarms.length > 0);
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ op: 'append', error: 'SADD *** *** failed' });
      expect(JSON.stringify(alarms)).not.to.match(/PII|alice|bob/);
    });

    it('beyond maxLabelsPerSession are not stored by close()', async () => {
      await start(appWith({ maxLabelsPerSession: 1 }));
      expect((await ask('/add/a')).status).to.equal(200);
      expect((await ask('/add/b')).status).to.equal(403);
      await middleware.close();
      expect(store.labelsOf('s')).to.deep.equal(['a']);
      expect(alarms.at(-1)).to.include({ op: 'append', code: 'store.too_many_labels' });
    });
  });

  it('G6: the alarm of an append shows no label of another request', async () => {
    const closed = deferred<RequestSecurity>();
    const app = appWith();
    app.get('/over', (req, res) => {
      expect(req.security.labels.size).to.equal(0);
      res.once('close', () => closed.resolve(req.security));
      res.send('over');
    });
    let over: RequestSecurity;
    app.get('/both', (req, res) => {
      over.labels.add('first-label');
      req.security.labels.add('second-label');
      res.send('both');
    });
    await start(app);
    await ask('/over');
    over = await closed.promise;
    store.fails = () => true;
    expect((await ask('/both')).status).to.equal(403);
    expect(alarms.length).to.be.greaterThan(0);
    expect(JSON.stringify(alarms)).not.to.match(/first-label|second-label/);
  });

  it('G6: the alarm of a load shows no label that the process knows', async () => {
    await start(appWith());
    expect((await ask('/add/known-label')).status).to.equal(200);
    store.loadLabels = () => Promise.reject(new Error('the row known-label of session s is locked'));
    expect((await ask('/add/other')).status).to.equal(403);
    expect(alarms.at(-1)).to.include({ alarm: 'session_store_failure', op: 'load' });
    expect(JSON.stringify(alarms)).to.include('is locked').and.not.to.include('known-label');
  });

  it('writeAhead() rejects a generator, whose code would run after the append', async () => {
    const GENERATORS = [
      function* () {
        currentSecurity().labels.add('secret');
        yield 'salary';
      },
      async function* () {
        currentSecurity().labels.add('secret');
        yield 'salary';
      },
    ];
    const app = appWith().use(securityContext());
    app.get('/generator/:n', async (req, res) => {
      const tool = writeAhead<[], unknown>(GENERATORS[Number(req.params.n)] as () => unknown);
      res.send(await tool().catch(({ code }) => code));
    });
    await start(app);
    for (const n of GENERATORS.keys()) expect((await ask(`/generator/${n}`)).text).to.equal('config.invalid');
  });
});
