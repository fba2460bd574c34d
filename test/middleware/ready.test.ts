import { expect } from 'chai';
import request from 'supertest';
import { AplSessionError, type AplSessionOptions, MemorySessionStore, type SessionStore } from '../../lib/index.js';
import { rejectionOf } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { middlewareFixture, ok } from '../support/middleware-fixture.js';

/** A store that fails until `connected` is set. */
class ConnectingStore extends MemorySessionStore {
  connected = true;
  readonly calls: string[] = [];

  async ready(): Promise<void> {
    this.calls.push('ready');
    this.#assertConnected();
  }

  override async loadLabels(sessionId: string): Promise<string[]> {
    this.calls.push('load');
    this.#assertConnected();
    return super.loadLabels(sessionId);
  }

  #assertConnected(): void {
    if (!this.connected) throw new AplSessionError('store.unavailable', 'The store is not connected.');
  }
}

const asObject = (store: SessionStore): Partial<AplSessionOptions> => ({ store });
const asBlock = (store: SessionStore): Partial<AplSessionOptions> => ({
  store: { kind: 'mine' },
  storeFactories: [{ kind: 'mine', build: () => store }],
});

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`ready(), ${version}`, () => {
    const { alarms, appOf, middlewareWith } = middlewareFixture(express);

    for (const [what, options] of [
      ['the default store', {}],
      ['a memory store', { store: new MemorySessionStore() }],
      ['a block of a memory store', { store: { kind: 'memory' } }],
    ] as const) {
      it(`resolves for ${what}, and the middleware works`, async () => {
        const middleware = middlewareWith(options);
        await middleware.ready();
        await request(appOf(middleware, ok)).get('/').expect(200);
      });
    }

    for (const [what, optionsOf] of [
      ['an object', asObject],
      ['a block', asBlock],
    ] as const) {
      it(`connects a store that was given as ${what}, with each call`, async () => {
        const store = new ConnectingStore();
        const middleware = middlewareWith(optionsOf(store));
        expect(store.calls, 'nothing connects before ready()').to.deep.equal([]);
        await middleware.ready();
        await middleware.ready();
        expect(store.calls).to.deep.equal(['ready', 'ready']);
      });

      it(`G2: ${what}: rejects with the store's error, without an alarm; later requests fail closed`, async () => {
        const store = new ConnectingStore();
        store.connected = false;
        const middleware = middlewareWith(optionsOf(store));
        expect(await rejectionOf(middleware.ready())).to.have.property('code', 'store.unavailable');
        expect(alarms).to.deep.equal([]);
        const app = appOf(middleware, ok);
        const { body } = await request(app).get('/').expect(403);
        expect(body.code).to.equal('session.load_failed');

        store.connected = true;
        await middleware.ready();
        await request(app).get('/').expect(200);
      });
    }

    it('rejects with store.timeout if the store does not settle', async () => {
      const store = Object.assign(new MemorySessionStore(), { ready: () => new Promise<void>(() => {}) });
      const error = await rejectionOf(middlewareWith({ store, storeTimeoutMs: 10 }).ready());
      expect(error).to.have.property('code', 'store.timeout');
      expect(error).to.have.property('message').that.includes('ready() call');
      expect(alarms).to.deep.equal([]);
    });

    it('rejects if the store throws synchronously', async () => {
      const store = Object.assign(new MemorySessionStore(), {
        ready: (): never => {
          throw new Error('thrown');
        },
      });
      const middleware = middlewareWith({ store });
      expect(await rejectionOf(middleware.ready())).to.have.property('message', 'thrown');
    });
  });
}
