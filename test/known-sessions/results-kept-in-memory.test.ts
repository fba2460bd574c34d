import { AsyncLocalStorage } from 'node:async_hooks';
import { createSession } from 'better-sse';
import { expect } from 'chai';
import { denyIf, openSession } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { LABEL, probed, SALARY, SwitchedApp, VIOLATION } from '../support/switched-app.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`results that an app keeps in memory, ${version}`, () => {
    const running = new SwitchedApp(express);

    describe('a response cache', () => {
      let handled: number;
      let others: number;
      beforeEach(async () => {
        handled = 0;
        others = 0;
        const cache = new Map<string, unknown>();
        await running.start((app) => {
          app.get('/probe', probed);
          app.use((req, res, next) => {
            if (cache.has(req.path)) {
              res.json(cache.get(req.path));
              return;
            }
            const json = res.json.bind(res);
            res.json = (body) => {
              cache.set(req.path, body);
              return json(body);
            };
            next();
          });
          app.get('/salary', (req, res) => {
            handled += 1;
            req.security.labels.add(LABEL);
            res.json(SALARY);
          });
          app.get('/other', (_req, res) => {
            others += 1;
            res.end();
          });
          app.get('/mail', denyIf(LABEL, VIOLATION), (_req, res) => void res.send('sent'));
        });
      });

      it('G1: while the append is pending, other responses are held too', async () => {
        running.store.mode = 'waits';
        const first = running.ask('/salary');
        await eventually(() => running.store.appends.length === 1);
        const second = running.ask('/salary');
        await running.probe();
        expect(await Promise.race([first, second, running.probe()])).to.include({ text: 'probed' });
        running.store.release();
        expect(await first).to.include({ status: 200 });
        expect(await second).to.include({ status: 200 });
        expect(handled).to.equal(1);
        expect(await running.ask('/mail')).to.include({ status: 403 });
      });

      it('G1: after a failed append the next request appends, or is denied', async () => {
        running.store.mode = 'fails';
        expect(await running.ask('/salary')).to.include({ status: 403 });
        const refused = await running.ask('/salary');
        expect(refused.status).to.equal(403);
        expect(refused.text).to.include('session.persist_failed').and.not.to.include(SALARY);
        expect(handled).to.equal(1);
        expect(running.alarms.map((alarm) => 'op' in alarm && alarm.op)).to.deep.equal(['append', 'append']);
        running.store.mode = 'works';
        expect(await running.ask('/salary')).to.include({ status: 200 });
        expect([...running.store.stored]).to.deep.equal([LABEL]);
        expect(await running.ask('/mail')).to.include({ status: 403 });
      });

      it('G2: a request of a session with owed labels runs no handler', async () => {
        running.store.mode = 'fails';
        await running.ask('/salary');
        expect((await running.ask('/other')).text).to.include('session.persist_failed');
        expect(others).to.equal(0);
        running.store.mode = 'works';
        expect(await running.ask('/other')).to.include({ status: 200 });
        expect(others).to.equal(1);
      });

      it('G5: a label that the store has lost still denies, and is stored again', async () => {
        expect(await running.ask('/salary')).to.include({ status: 200 });
        running.store.stored.clear();
        expect(await running.ask('/mail')).to.include({ status: 403 });
        expect([...running.store.stored]).to.deep.equal([LABEL]);
        running.store.stored.clear();
        running.store.mode = 'fails';
        expect((await running.ask('/other')).text).to.include('session.persist_failed');
        expect(others).to.equal(0);
      });

      it('G7: owed labels of a session do not affect other sessions', async () => {
        running.store.mode = 'fails';
        await running.ask('/salary');
        expect(await running.probe()).to.include({ status: 200, text: 'probed' });
      });
    });

    describe('a result that leaves through another response of the session', () => {
      /** The stream that a client has open, as text. */
      let received: string;
      let ended: Promise<unknown>;

      async function listen(path: string): Promise<void> {
        received = '';
        const answer = await fetch(running.origin + path);
        expect(answer.status).to.equal(200);
        const read = async (): Promise<void> => {
          for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
            received += Buffer.from(chunk).toString();
          }
        };
        ended = read().catch(() => {});
      }

      beforeEach(async () => {
        await running.start((app) => {
          app.get('/probe', probed);
          let push: ((data: string) => void) | undefined;
          app.get('/events', async (req, res) => {
            const session = await createSession(req, res);
            push = (data) => void session.push(data);
            push('hello');
          });
          app.post('/salary', (req, res) => {
            req.security.labels.add(LABEL);
            push?.(SALARY);
            res.status(202).end();
          });
          app.post('/later', (_req, res) => {
            push?.('later');
            res.status(202).end();
          });
        });
        await listen('/events');
        await eventually(() => received.includes('hello'));
      });

      it('G1: an event stream is held by a label of another request', async () => {
        running.store.mode = 'waits';
        const posted = running.ask('/salary', { method: 'POST' });
        await eventually(() => running.store.appends.length === 1);
        await running.probe();
        expect(received).not.to.include(SALARY);
        running.store.release();
        expect(await posted).to.include({ status: 202 });
        await eventually(() => received.includes(SALARY));
        await running.ask('/later', { method: 'POST' });
        await eventually(() => received.includes('later'));
      });

      it('G2: if the append fails, the stream is cut before the result', async () => {
        running.store.mode = 'fails';
        expect(await running.ask('/salary', { method: 'POST' })).to.include({ status: 403 });
        await ended;
        expect(received).to.include('hello').and.not.to.include(SALARY);
        expect(running.alarms).to.have.length(1);
      });
    });

    describe('the async context', () => {
      it('G6: a response released by another request keeps its own context', async () => {
        const requests = new AsyncLocalStorage<string>();
        const seen: unknown[] = [];
        const begun = deferred<void>();
        const goOn = deferred<void>();
        await running.start((app) => {
          app.get('/probe', probed);
          app.use((req, _res, next) => requests.run(req.path, next));
          app.get('/clean', async (_req, res) => {
            res.on('finish', () => seen.push(requests.getStore()));
            begun.resolve();
            await goOn.promise;
            res.end('clean', () => seen.push(requests.getStore()));
          });
          app.get('/salary', (req, res) => {
            req.security.labels.add(LABEL);
            res.send(SALARY);
          });
        });
        running.store.mode = 'waits';
        const clean = running.ask('/clean');
        await begun.promise;
        const salary = running.ask('/salary');
        await eventually(() => running.store.appends.length === 1);
        goOn.resolve();
        await running.probe();
        expect(seen).to.deep.equal([]);
        running.store.release();
        await Promise.all([clean, salary]);
        expect(seen).to.deep.equal(['/clean', '/clean']);
      });
    });

    describe('an open session', () => {
      it('has the labels of requests at once, and its labels hold responses', async () => {
        const begun = deferred<void>();
        const goOn = deferred<void>();
        await running.start((app) => {
          app.get('/probe', probed);
          app.get('/slow', async (_req, res) => {
            begun.resolve();
            await goOn.promise;
            res.send('slow');
          });
        });
        const opened = await openSession({
          session: 'alice',
          store: running.store,
          storeTimeoutMs: 60_000,
          logger: { warn() {}, error() {} },
        });
        const slow = running.ask('/slow');
        await begun.promise;
        running.store.mode = 'waits';
        opened.labels.add(LABEL);
        goOn.resolve();
        await running.probe();
        expect(await Promise.race([slow, running.probe()])).to.include({ text: 'probed' });
        running.store.release();
        expect(await slow).to.include({ text: 'slow' });
        await opened.close();
      });
    });
  });
}
