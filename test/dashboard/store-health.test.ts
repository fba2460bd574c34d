import { expect } from 'chai';
import { StoreHealth } from '../../lib/dashboard/store-health.js';
import { MemorySessionStore, type SessionStore, type StoreStatus } from '../../lib/index.js';
import { ScriptedStore } from '../support/failing-stores.js';

const since = '2026-01-31T12:00:00.000Z';
const lastFailure = { code: 'store.timeout', reason: 'too late', at: since } as const;

/** A store with this status, and a ping that fails. */
function storeWith(status: () => StoreStatus, ping = (): Promise<number> => Promise.reject(new Error('down'))) {
  const store: SessionStore = new ScriptedStore();
  return Object.assign(store, { status, ping });
}

describe('StoreHealth', () => {
  it('without a store, or with an unused store: unknown', () => {
    const unused = new StoreHealth(storeWith(() => ({ connected: false, since })));
    for (const health of [new StoreHealth(undefined), unused]) {
      expect(health.sample()).to.equal(false);
      expect(health.state).to.equal('unknown');
    }
  });

  it('without a probe the status decides', () => {
    let status: StoreStatus = { connected: true, since };
    const health = new StoreHealth(storeWith(() => status));
    expect(health.sample()).to.equal(true);
    expect(health.state).to.equal('reachable');
    status = { connected: false, since, lastFailure };
    expect(health.sample()).to.equal(true);
    expect(health.report().changes).to.have.length(2);
    expect(health.report().changes[0]).to.include({ state: 'unreachable', reason: 'too late' });
  });

  it('a probe that fails counts more than a connection that is open', async () => {
    const health = new StoreHealth(storeWith(() => ({ connected: true, since })));
    await health.probe();
    expect(health.state).to.equal('unreachable');
    expect(health.report().changes[0]).to.include({ reason: 'down' });
  });

  it('an open circuit is shown, although the server answers', async () => {
    const health = new StoreHealth(
      storeWith(
        () => ({ connected: true, since, circuit: 'open', lastFailure }),
        async () => 1,
      ),
    );
    await health.probe();
    expect(health.state).to.equal('circuit_open');
  });

  it('a status() that throws does not end the process', () => {
    const health = new StoreHealth(
      storeWith(() => {
        throw new Error('broken');
      }),
    );
    expect(health.sample()).to.equal(false);
  });

  it('keeps the last 20 changes', () => {
    let connected = false;
    const health = new StoreHealth(storeWith(() => ({ connected, since, lastFailure })));
    for (let change = 0; change < 25; change += 1) {
      connected = !connected;
      health.sample();
    }
    expect(health.report().changes).to.have.length(20);
  });

  it('a store that cannot be probed is asked for its status', async () => {
    const store = new MemorySessionStore();
    const health = new StoreHealth({
      loadLabels: async () => [],
      appendLabels: async () => {},
      status: () => store.status(),
    });
    await health.probe();
    expect(health.state).to.equal('reachable');
  });
});
