import { once } from 'node:events';
import { expect } from 'chai';
import request from 'supertest';
import { MemorySessionStore } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { HeldStore } from '../support/held-store.js';
import { addLabel, answerError, LABEL, middlewareFixture, ok, rejecting } from '../support/middleware-fixture.js';
import { get, Wire } from '../support/raw-http.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`labels of a request, ${version}`, () => {
    const { alarms, appOf, listen, middlewareWith } = middlewareFixture(express);

    it('G5: delete and clear throw label.immutable, and the label is persisted', async () => {
      const store = new ScriptedStore({ load: async () => ['stored'] });
      const app = appOf(middlewareWith({ store }), addLabel, (req, res) => {
        const { labels } = req.security;
        for (const call of [() => labels.delete('stored'), () => labels.delete(LABEL), () => labels.clear()]) {
          expect(thrownBy(call)).to.have.property('code', 'label.immutable');
        }
        res.json([...labels]);
      });
      await request(app).get('/').expect(200, ['stored', LABEL]);
      expect(store.appends).to.deep.equal([[LABEL]]);
    });

    for (const [what, value] of [
      ['an empty string', ''],
      ['a number', 5],
      ['undefined', undefined],
      ['a control character', 'a\nb'],
      ['U+FFFD', 'a\ufffd'],
      ['257 bytes', 'x'.repeat(257)],
    ] as const) {
      it(`${what} is label.invalid at add, and Express answers 500`, async () => {
        const store = new ScriptedStore();
        const app = appOf(middlewareWith({ store }), (req, res) => {
          req.security.labels.add(value as string);
          res.send('not reached');
        }).use(answerError);
        const { text } = await request(app).get('/').expect(500);
        expect(text).to.contain('label.invalid');
        expect(store.appends).to.deep.equal([]);
      });
    }

    it('G5: a label that the store has is not appended again', async () => {
      const store = new ScriptedStore({ load: async () => [LABEL] });
      await request(appOf(middlewareWith({ store }), addLabel, ok))
        .get('/')
        .expect(200);
      expect(store.appends).to.deep.equal([]);
    });

    it('G4: the next request of the session has the labels, others do not', async () => {
      const store = new MemorySessionStore();
      const app = appOf(middlewareWith({ store, session: (req) => req.get('x-session') }), (req, res) => {
        const before = [...req.security.labels];
        if (req.path === '/taint') req.security.labels.add(LABEL);
        res.json(before);
      });
      await request(app).get('/taint').set('x-session', 'a').expect(200, []);
      await request(app).get('/look').set('x-session', 'a').expect(200, [LABEL]);
      await request(app).get('/look').set('x-session', 'b').expect(200, []);
    });

    it('labels added during an append get one of their own, which holds too', async () => {
      const store = new HeldStore();
      const server = await listen(
        appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }), addLabel, async (req, res) => {
          res.write('one');
          await store.called();
          req.security.labels.add('second-label');
          res.end('two');
          store.release();
        }),
      );
      const wire = new Wire(server.port);
      wire.send(get('/', { Connection: 'close' }));
      expect(await wire.closed()).to.match(/one\r\n3\r\ntwo/);
      expect(store.appends).to.deep.equal([[LABEL], ['second-label']]);
    });

    describe('late labels (G7)', () => {
      it('G7: a label added after the response has ended is persisted', async () => {
        const store = new ScriptedStore();
        const closed = deferred<void>();
        const app = appOf(middlewareWith({ store }), (req, res) => {
          res.once('close', () => {
            setImmediate(() => {
              req.security.labels.add(LABEL);
              closed.resolve();
            });
          });
          res.send('ok');
        });
        await request(app).get('/').expect(200, 'ok');
        await closed.promise;
        await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
      });

      it('G7: a label added between end() and close is persisted too', async () => {
        const store = new ScriptedStore();
        const app = appOf(middlewareWith({ store }), (req, res) => {
          res.send('ok');
          req.security.labels.add(LABEL);
        });
        await request(app).get('/').expect(200, 'ok');
        await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
      });

      it('G7: a late label that cannot be persisted raises an alarm', async () => {
        const store = new ScriptedStore({ append: rejecting() });
        const app = appOf(middlewareWith({ store }), (req, res) => {
          res.once('close', () => setImmediate(() => req.security.labels.add(LABEL)));
          res.send('ok');
        });
        await request(app).get('/').expect(200, 'ok');
        await eventually(() => expect(alarms).to.have.length(1));
        expect(alarms[0]).to.include({ alarm: 'session_store_failure', op: 'append' });
      });

      for (const [what, store, expectedAlarms] of [
        ['persisted', () => new ScriptedStore(), 0],
        ['alarmed if that fails', () => new ScriptedStore({ append: rejecting() }), 1],
      ] as const) {
        it(`G7, P60: a handler that never answers, client gone: ${what}`, async () => {
          const scripted = store();
          const reached = deferred<void>();
          const app = appOf(middlewareWith({ store: scripted }), addLabel, () => reached.resolve());
          const wire = new Wire((await listen(app)).port);
          wire.send(get('/'));
          await reached.promise;
          wire.destroy();
          await eventually(() => expect(scripted.appends).to.deep.equal([[LABEL]]));
          await eventually(() => expect(alarms).to.have.length(expectedAlarms));
        });
      }

      it('G7, P56: a client that gives up during the load: its label is kept', async () => {
        const loading = deferred<string[]>();
        const loadCalled = deferred<void>();
        const store = new ScriptedStore({
          load() {
            loadCalled.resolve();
            return loading.promise;
          },
        });
        const server = await listen(appOf(middlewareWith({ store, storeTimeoutMs: 60_000 }), addLabel, ok));
        const connected = once(server.server, 'connection');
        const wire = new Wire(server.port);
        const [socket] = await connected;
        wire.send(get('/'));
        await loadCalled.promise;
        wire.destroy();
        await once(socket, 'close');
        loading.resolve([]);
        await eventually(() => expect(store.appends).to.deep.equal([[LABEL]]));
        expect(alarms).to.deep.equal([]);
      });
    });
  });
}
