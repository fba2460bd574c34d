import { expect } from 'chai';
import request from 'supertest';
import { denyIf, MemorySessionStore, openSession, quarantine, type SessionStore } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { eventually, rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { HeldStore } from '../support/held-store.js';
import { middlewareFixture, ok, rejecting, SESSION } from '../support/middleware-fixture.js';
import { get, Wire } from '../support/raw-http.js';

const LABEL = 'quarantined';
const VIOLATION = { code: 'quarantined', reason: 'this session is under investigation' };

const INVALID: ReadonlyArray<readonly [what: string, sessionId: unknown, label: unknown, code: string]> = [
  ['no session id', undefined, LABEL, 'session.invalid'],
  ['an empty session id', '', LABEL, 'session.invalid'],
  ['a session id that is no text', { id: SESSION }, LABEL, 'session.invalid'],
  ['a session id with a lone surrogate', '\ud800', LABEL, 'session.invalid'],
  ['no label', SESSION, undefined, 'label.invalid'],
  ['an invalid label', SESSION, 'a\nb', 'label.invalid'],
  ['the mark of enrolled sessions', SESSION, 'express-apl-session:enrolled', 'label.invalid'],
];

describe('quarantine()', () => {
  it('adds a label; the origin says who did it, if the store keeps origins', async () => {
    const plain = new ScriptedStore();
    await quarantine(plain, SESSION, LABEL);
    expect(plain.appends).to.deep.equal([[LABEL]]);
    const store = new MemorySessionStore({ provenance: true });
    await quarantine(store, SESSION, LABEL);
    const [explained] = (await store.explain(SESSION)).labels;
    expect(explained).to.include({ label: LABEL, by: 'quarantine' }).and.not.have.property('route');
  });

  for (const [what, sessionId, label, code] of INVALID) {
    it(`${what} is ${code}, and the store is not called`, async () => {
      const store = new ScriptedStore();
      const error = await rejectionOf(quarantine(store, sessionId as string, label as string));
      expect(error).to.have.property('code', code);
      expect(store.appends).to.deep.equal([]);
    });
  }

  it('a block in place of a store is config.invalid', async () => {
    const error = await rejectionOf(quarantine({ kind: 'memory' } as unknown as SessionStore, SESSION, LABEL));
    expect(error).to.have.property('code', 'config.invalid');
  });

  it('rejects with the error of the store', async () => {
    const store = new ScriptedStore({ append: rejecting('down') });
    expect(await rejectionOf(quarantine(store, SESSION, LABEL))).to.have.property('message', 'down');
  });
});

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`aplSession.quarantine(), ${version}`, () => {
    const { alarms, appOf, listen, middlewareWith } = middlewareFixture(express);

    it('G4: the next request meets the label, on this node and on another', async () => {
      const store = new MemorySessionStore({ provenance: true });
      const here = middlewareWith({ store });
      const apps = [here, middlewareWith({ store })].map((mount) => appOf(mount, denyIf(LABEL, VIOLATION), ok));
      for (const app of apps) await request(app).get('/').expect(200);
      await here.quarantine(SESSION, LABEL);
      for (const app of apps)
        await request(app)
          .get('/')
          .expect(403, /"code":"quarantined"/);
      const [explained] = (await store.explain(SESSION)).labels;
      expect(explained).to.include({ by: 'quarantine', route: 'aplSessionMiddleware.quarantine()' });
    });

    for (const isAgain of [false, true]) {
      it(`G1: a request in flight is held until the label is stored${isAgain ? ' again' : ''}`, async () => {
        const store = new HeldStore();
        const mount = middlewareWith({ store, storeTimeoutMs: 60_000 });
        if (isAgain) {
          const earlier = mount.quarantine(SESSION, LABEL);
          (await store.nextAppend()).succeed();
          await earlier;
        }
        const [arrived, goOn] = [deferred(), deferred()];
        const { port } = await listen(
          appOf(mount, async (req, res) => {
            arrived.resolve();
            await goOn.promise;
            res.end(`labels: ${[...req.security.labels]}`);
          }),
        );
        const wire = new Wire(port);
        wire.send(get('/', { Connection: 'close' }));
        await arrived.promise;
        const quarantined = mount.quarantine(SESSION, LABEL);
        const append = await store.nextAppend();
        goOn.resolve();
        // the response of another session shows that the first one had time to leave
        await request(appOf(middlewareWith({ session: () => 'other' }), ok))
          .get('/')
          .expect(200);
        expect(wire.received).to.equal('');
        append.succeed();
        await quarantined;
        expect(await wire.closed()).to.match(/^HTTP\/1\.1 200 [\s\S]*labels: quarantined/);
      });
    }

    it('a session that openSession() has open gets the label', async () => {
      const store = new MemorySessionStore();
      await using session = await openSession({ session: SESSION, store });
      await middlewareWith({ store }).quarantine(SESSION, LABEL);
      expect([...session.labels]).to.deep.equal([LABEL]);
    });

    it('G2, G7: if the append fails it rejects, and the session is refused until it works', async () => {
      let isDown = true;
      const inner = new MemorySessionStore();
      const store: SessionStore = {
        loadLabels: (id) => inner.loadLabels(id),
        appendLabels: (id, labels) => (isDown ? Promise.reject(new Error('down')) : inner.appendLabels(id, labels)),
      };
      const mount = middlewareWith({ store });
      const app = appOf(mount, denyIf(LABEL, VIOLATION), ok);
      expect(await rejectionOf(mount.quarantine(SESSION, LABEL))).to.have.property('code', 'session.persist_failed');
      expect(alarms[0]).to.include({ op: 'append', route: 'aplSessionMiddleware.quarantine()', error: 'down' });
      await request(app)
        .get('/')
        .expect(403, /"code":"session.persist_failed"/);
      isDown = false;
      await request(app)
        .get('/')
        .expect(403, /"code":"quarantined"/);
      expect(await inner.loadLabels(SESSION)).to.deep.equal([LABEL]);
    });

    it('G7: without await a failure raises an alarm, and the process goes on', async () => {
      // mocha fails for a rejection that has no handler
      middlewareWith({ store: new ScriptedStore({ append: rejecting('down') }) }).quarantine(SESSION, LABEL);
      await eventually(() => expect(alarms).to.have.length(1));
    });

    it('stores the label again that the process takes for stored', async () => {
      const store = new ScriptedStore();
      const mount = middlewareWith({ store });
      await mount.quarantine(SESSION, LABEL);
      await mount.quarantine(SESSION, LABEL);
      expect(store.appends).to.deep.equal([[LABEL], [LABEL]]);
    });

    it('G2, G7: if that fails it rejects, with an alarm, and the session is refused', async () => {
      let isDown = false;
      const append = async (): Promise<void> => {
        if (isDown) throw new Error(`down for ${SESSION} and ${LABEL}`);
      };
      const mount = middlewareWith({ store: new ScriptedStore({ append }) });
      await mount.quarantine(SESSION, LABEL);
      isDown = true;
      expect(await rejectionOf(mount.quarantine(SESSION, LABEL))).to.have.property('code', 'session.persist_failed');
      expect(alarms).to.have.length(1);
      expect(alarms[0]).to.include({ op: 'append', error: 'down for *** and ***' });
      const app = appOf(mount, ok);
      await request(app)
        .get('/')
        .expect(403, /"code":"session.persist_failed"/);
      isDown = false;
      await request(app).get('/').expect(200);
    });

    for (const [what, sessionId, label, code] of INVALID) {
      it(`${what} is ${code}`, async () => {
        const store = new ScriptedStore();
        const call = middlewareWith({ store }).quarantine(sessionId as string, label as string);
        expect(await rejectionOf(call)).to.have.property('code', code);
        expect(store.appends).to.deep.equal([]);
      });
    }

    it('beyond maxKnownSessions it rejects, and does nothing', async () => {
      const store = new HeldStore();
      const mount = middlewareWith({ store, storeTimeoutMs: 60_000, maxKnownSessions: 1 });
      const first = mount.quarantine('first', LABEL);
      const error = await rejectionOf(mount.quarantine('second', LABEL));
      expect(error).to.have.property('code', 'session.capacity_exceeded');
      store.release();
      await first;
      await mount.quarantine('second', LABEL);
    });

    it('leaves no session in use', async () => {
      const store = new ScriptedStore();
      const mount = middlewareWith({ store, maxKnownSessions: 1 });
      for (const id of ['a', 'b', 'c']) await mount.quarantine(id, LABEL);
      await eventually(() => expect(store.appends).to.have.length(3));
    });
  });
}
