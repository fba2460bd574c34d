import { inspect } from 'node:util';
import { expect } from 'chai';
import { AplSessionError } from '../../../lib/contract/errors.js';
import { parseValkeyConfig, type ValkeySessionStoreOptions } from '../../../lib/stores/valkey/valkey-config.js';
import { ValkeySessionStore, valkeySessionStoreFactory } from '../../../lib/stores/valkey/valkey-session-store.js';
import { thrownBy } from '../../support/eventually.js';

const endpoint = 'localhost:6379';

describe('ValkeySessionStore options', () => {
  it('have the defaults of CPEX, which has neither retry nor circuit breaker', () => {
    expect(parseValkeyConfig({ endpoint })).to.deep.equal({
      endpoint: { host: 'localhost', port: 6379, tls: false },
      keyPrefix: 'taint:v1',
      connectTimeoutMs: 250,
      commandTimeoutMs: 500,
      retry: true,
      circuitBreaker: false,
    });
  });

  it('a circuit breaker has defaults of its own', () => {
    const { circuitBreaker } = parseValkeyConfig({ endpoint, circuitBreaker: {} });
    expect(circuitBreaker).to.deep.equal({ consecutiveFailures: 10, halfOpenAfterMs: 1_000 });
  });

  it('are copied and frozen', () => {
    const circuitBreaker = { consecutiveFailures: 3 };
    const config = parseValkeyConfig({ endpoint, circuitBreaker });
    circuitBreaker.consecutiveFailures = 4;
    expect(config).to.be.frozen;
    expect(config.circuitBreaker).to.be.frozen.and.to.include({ consecutiveFailures: 3 });
  });

  it('give the deadline of one call: both timeouts', async () => {
    const store = new ValkeySessionStore({ endpoint, connectTimeoutMs: 100, commandTimeoutMs: 30 });
    expect(store.deadlineMs).to.equal(130);
    await store.close();
  });

  for (const { what, options, names } of [
    { what: 'no options', options: undefined, names: 'options' },
    { what: 'no endpoint', options: {}, names: 'endpoint' },
    { what: 'an endpoint that is no string', options: { endpoint: 6379 }, names: 'endpoint' },
    { what: 'an empty endpoint', options: { endpoint: '' }, names: 'endpoint' },
    { what: 'an unknown key', options: { endpoint, ttl_seconds: 5 }, names: 'ttl_seconds' },
    { what: 'a separate password', options: { endpoint, password: 'hunter2' }, names: 'password' },
    { what: 'an empty keyPrefix', options: { endpoint, keyPrefix: '' }, names: 'keyPrefix' },
    { what: 'ttlSeconds 0', options: { endpoint, ttlSeconds: 0 }, names: 'ttlSeconds' },
    { what: 'a negative ttlSeconds', options: { endpoint, ttlSeconds: -1 }, names: 'ttlSeconds' },
    { what: 'ttlSeconds as text', options: { endpoint, ttlSeconds: '60' }, names: 'ttlSeconds' },
    { what: 'half a second of ttlSeconds', options: { endpoint, ttlSeconds: 0.5 }, names: 'ttlSeconds' },
    { what: 'connectTimeoutMs 0', options: { endpoint, connectTimeoutMs: 0 }, names: 'connectTimeoutMs' },
    { what: 'infinite commandTimeoutMs', options: { endpoint, commandTimeoutMs: Infinity }, names: 'commandTimeoutMs' },
    { what: 'retry as a number', options: { endpoint, retry: 1 }, names: 'retry' },
    { what: 'circuitBreaker true', options: { endpoint, circuitBreaker: true }, names: 'circuitBreaker' },
    {
      what: 'an unknown key of circuitBreaker',
      options: { endpoint, circuitBreaker: { threshold: 5 } },
      names: 'circuitBreaker.threshold',
    },
    {
      what: 'a circuitBreaker that opens at no failure',
      options: { endpoint, circuitBreaker: { consecutiveFailures: 0 } },
      names: 'circuitBreaker.consecutiveFailures',
    },
    {
      what: 'a circuitBreaker that never probes',
      options: { endpoint, circuitBreaker: { halfOpenAfterMs: Infinity } },
      names: 'circuitBreaker.halfOpenAfterMs',
    },
    { what: 'two faults', options: { endpoint, ttlSeconds: 0, tls: true }, names: 'tls' },
    { what: 'plain text to another machine', options: { endpoint: 'redis://u:hunter2@db:6379' }, names: 'rediss://' },
  ]) {
    it(`${what}: config.invalid, and the message names ${names} and no credential`, () => {
      for (const construct of [
        () => new ValkeySessionStore(options as unknown as ValkeySessionStoreOptions),
        () => valkeySessionStoreFactory.build({ kind: 'valkey', ...options }),
      ]) {
        const error = thrownBy(construct);
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
        const { message } = error as AplSessionError;
        expect(message).to.include(options === undefined && message.includes('endpoint') ? 'endpoint' : names);
        expect(inspect(error, { depth: 10 }) + JSON.stringify(error)).to.not.include('hunter2');
      }
    });
  }
});
