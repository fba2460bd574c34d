import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { sha256Hex } from '../../../../lib/session/digest.js';
import { ValkeyCircuitBreaker } from '../../../../lib/stores/valkey/calls/valkey-circuit-breaker.js';
import type { ValkeySessionStoreOptions } from '../../../../lib/stores/valkey/config/valkey-config.js';
import { ValkeySessionStore } from '../../../../lib/stores/valkey/valkey-session-store.js';
import { alarmsOf } from '../../../support/alarms.js';
import { CountingProxy } from '../../../support/counting-proxy.js';
import { type Deferred, deferred } from '../../../support/deferred.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { describeWithDedicatedValkey } from '../../../support/valkey.js';

const KEY = `taint:v1:${sha256Hex('s')}`;
/** So long that no test lives to see its end. */
const NEVER_MS = 600_000;

describe('calls that settle after the circuit breaker has opened', () => {
  const outage = (): Promise<never> => Promise.reject(new AplSessionError('store.timeout', 'No answer.'));
  const opened = async (
    halfOpenAfterMs: number,
  ): Promise<{
    readonly breaker: ValkeyCircuitBreaker;
    readonly states: string[];
    readonly late: Deferred<void>;
    readonly settled: Promise<unknown>;
  }> => {
    const states: string[] = [];
    const breaker = new ValkeyCircuitBreaker({ consecutiveFailures: 2, halfOpenAfterMs }, (state) =>
      states.push(state),
    );
    const late = deferred<void>();
    await rejectionOf(breaker.run(outage));
    const settled = breaker.run(() => late.promise);
    await rejectionOf(breaker.run(outage));
    expect(states).to.deep.equal(['open']);
    return { breaker, states, late, settled };
  };

  it('a late success does not close it', async () => {
    const { breaker, late, settled } = await opened(NEVER_MS);
    late.resolve();
    await settled;
    expect(breaker.troubled).to.equal(true);
    expect(await rejectionOf(breaker.run(async () => {}))).to.have.property('code', 'store.circuit_open');
  });

  it('a late failure does not count as a probe', async () => {
    const { breaker, states } = await opened(1);
    await delay(5);
    breaker.report(new AplSessionError('store.timeout', 'No answer.'));
    await delay(5);
    expect(states).to.deep.equal(['open']);
  });
});

describe('a circuit breaker whose system clock is changed', () => {
  const HOUR_MS = 3_600_000;
  const { now: realNow } = Date;
  afterEach(() => {
    Date.now = realNow;
  });
  const opened = async (halfOpenAfterMs: number): Promise<ValkeyCircuitBreaker> => {
    const breaker = new ValkeyCircuitBreaker({ consecutiveFailures: 1, halfOpenAfterMs }, () => {});
    await rejectionOf(breaker.run(() => Promise.reject(new AplSessionError('store.timeout', 'No answer.'))));
    return breaker;
  };

  it('an hour back: the probe is not delayed', async () => {
    const breaker = await opened(20);
    Date.now = () => realNow() - HOUR_MS;
    expect(await eventually(() => breaker.run(async () => 'answered'), { withinMs: 1_000 })).to.equal('answered');
  });

  it('an hour forward: the probe does not come early', async () => {
    const breaker = await opened(HOUR_MS / 2);
    Date.now = () => realNow() + HOUR_MS;
    expect(await rejectionOf(breaker.run(async () => {}))).to.have.property('code', 'store.circuit_open');
  });
});

describeWithDedicatedValkey('circuit breaker of a ValkeySessionStore', (server) => {
  let proxy: CountingProxy;
  let store: ValkeySessionStore;
  const open = async (
    circuitBreaker?: ValkeySessionStoreOptions['circuitBreaker'],
    connectTimeoutMs = 100,
  ): Promise<void> => {
    store = new ValkeySessionStore({
      endpoint: proxy.url,
      connectTimeoutMs,
      commandTimeoutMs: 100,
      ...(circuitBreaker && { circuitBreaker }),
    });
    await eventually(() => store.appendLabels('s', ['before']));
  };
  const codeOfLoad = async (): Promise<unknown> => {
    const error = await rejectionOf(store.loadLabels('s'));
    return (error as { code: unknown }).code;
  };
  const fail = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) expect(await codeOfLoad()).to.match(/^store\.(timeout|unavailable)$/);
  };
  const states = (alarms: ReturnType<typeof alarmsOf>): unknown[] =>
    alarms.map((alarm) => ('state' in alarm ? alarm.state : alarm.alarm));

  beforeEach(async () => {
    await server().flush();
    proxy = await CountingProxy.start(server());
    proxy.latencyMs = 1;
  });
  afterEach(async () => {
    await store.close();
    await proxy.close();
  });

  it('G2: opens after that many failures in a row, and sends nothing then', async () => {
    await open({ consecutiveFailures: 3, halfOpenAfterMs: NEVER_MS });
    const alarms = alarmsOf(store);
    proxy.fault = 'black hole';
    await fail(3);
    expect(alarms).to.have.length(1);
    expect(alarms[0]).to.include({ alarm: 'session_store_circuit_changed', state: 'open' }).and.to.be.frozen;
    expect(alarms[0]).to.have.property('error').that.includes('in a row');
    proxy.fault = undefined;
    const counts = await server().countCommands(async () => {
      for (let time = 0; time < 100; time += 1) {
        expect(await codeOfLoad()).to.equal('store.circuit_open');
        const append = await rejectionOf(store.appendLabels('s', ['a']));
        expect(append).to.have.property('code', 'store.circuit_open');
      }
    });
    expect(counts).to.deep.equal({});
    expect(await server().admin.smembers(KEY)).to.deep.equal(['before']);
  });

  it('closes again when a probe succeeds; both changes are alarmed', async () => {
    await open({ consecutiveFailures: 2, halfOpenAfterMs: 50 });
    const alarms = alarmsOf(store);
    proxy.fault = 'black hole';
    await fail(2);
    proxy.fault = undefined;
    await eventually(async () => expect(await store.loadLabels('s')).to.deep.equal(['before']));
    expect(states(alarms).at(0)).to.equal('open');
    expect(states(alarms).slice(-2)).to.deep.equal(['half_open', 'closed']);
    await store.appendLabels('s', ['after']);
  });

  it('opens again when a probe fails', async () => {
    await open({ consecutiveFailures: 2, halfOpenAfterMs: 50 });
    const alarms = alarmsOf(store);
    proxy.fault = 'black hole';
    await fail(2);
    await eventually(async () => expect(await codeOfLoad()).to.not.equal('store.circuit_open'));
    expect(states(alarms)).to.deep.equal(['open', 'half_open', 'open']);
    expect(await codeOfLoad()).to.equal('store.circuit_open');
  });

  it('lets one probe through, and refuses calls during it at once', async () => {
    await open({ consecutiveFailures: 1, halfOpenAfterMs: 20 });
    const alarms = alarmsOf(store);
    proxy.fault = 'black hole';
    await fail(1);
    await eventually(async () => {
      const probe = codeOfLoad();
      const beside = await Promise.all(Array.from({ length: 20 }, codeOfLoad));
      expect(states(alarms).at(-1)).to.equal('half_open');
      expect(new Set(beside)).to.deep.equal(new Set(['store.circuit_open']));
      expect(await probe).to.equal('store.unavailable');
    });
  });

  it('a success between the failures resets the count', async () => {
    await open({ consecutiveFailures: 2, halfOpenAfterMs: NEVER_MS }, 5_000);
    const alarms = alarmsOf(store);
    for (let round = 0; round < 4; round += 1) {
      proxy.faultOnce = 'no replies';
      await fail(1);
      expect(await store.loadLabels('s')).to.deep.equal(['before']);
    }
    expect(alarms).to.deep.equal([]);
  });

  it('commands that Valkey refuses never open it', async () => {
    await open({ consecutiveFailures: 1, halfOpenAfterMs: NEVER_MS });
    await server().admin.set(`taint:v1:${sha256Hex('wrong')}`, 'a string');
    for (let time = 0; time < 5; time += 1) {
      expect(await rejectionOf(store.loadLabels('wrong'))).to.have.property('code', 'store.command_failed');
      expect(await store.loadLabels('s')).to.deep.equal(['before']);
    }
  });

  it('calls that fail together open it once, each with its own error', async () => {
    await open({ consecutiveFailures: 5, halfOpenAfterMs: NEVER_MS });
    const alarms = alarmsOf(store);
    proxy.fault = 'black hole';
    const codes = await Promise.all(Array.from({ length: 50 }, codeOfLoad));
    // the first that gets no answer in time gives up the connection, under those that have begun a moment later
    expect(codes).to.include('store.timeout');
    expect(codes.filter((code) => code !== 'store.timeout' && code !== 'store.unavailable')).to.deep.equal([]);
    expect(states(alarms)).to.deep.equal(['open']);
    expect(await codeOfLoad()).to.equal('store.circuit_open');
  });

  it('is off by default: failures do not stop later calls', async () => {
    await open();
    const alarms = alarmsOf(store);
    proxy.fault = 'black hole';
    await fail(12);
    proxy.fault = undefined;
    await eventually(() => store.loadLabels('s'), { withinMs: 6_000 });
    expect(alarms).to.deep.equal([]);
  });
});
