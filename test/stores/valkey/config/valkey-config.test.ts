import { inspect } from 'node:util';
import { expect } from 'chai';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { aplSessionMiddleware } from '../../../../lib/index.js';
import {
  parseValkeyConfig,
  type ValkeySessionStoreOptions,
} from '../../../../lib/stores/valkey/config/valkey-config.js';
import { ValkeySessionStore, valkeySessionStoreFactory } from '../../../../lib/stores/valkey/valkey-session-store.js';
import { CertificateAuthority } from '../../../support/certificates.js';
import { thrownBy } from '../../../support/eventually.js';

const endpoint = 'localhost:6379';
const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const authority = new CertificateAuthority('Authority of the tests');
const ca = authority.cert;
const own = authority.issue({ commonName: 'client' });
const other = authority.issue({ commonName: 'another' });

/**
 * The tests of CPEX (config.rs, then valkey_store_integration.rs), and the tests here that do the same:
 *
 * localhost_without_tls_is_allowed, ipv6_loopback_without_tls_is_allowed: valkey-endpoint, "reads redis://localhost…"
 * non_localhost_without_tls_is_rejected: valkey-endpoint, "needs TLS: …"
 * non_localhost_with_tls_uses_rediss_scheme: "take host:port with tls"
 * rediss_scheme_implies_tls: valkey-endpoint, "reads rediss://…"
 * tls_true_with_plaintext_scheme_is_rejected: "tls with redis://"
 * credentials_are_percent_encoded_in_url: "take a separate login…", and tls-and-acl, where such a login works
 * username_without_password_is_rejected: "a username without a password", and valkey-endpoint, "refuses redis://app@…"
 * url_endpoint_with_separate_credentials_is_rejected: "… and a password", "… and a login"
 * password_without_username_uses_default_user: "take a separate password without a username…"
 * missing_endpoint_is_config_error: "no endpoint"
 * redact_endpoint_strips_userinfo: valkey-endpoint, "redactEndpoint"
 * tls_required_error_redacts_credentials: valkey-endpoint, "shows no credential of …"
 *
 * cross_node_concurrent_append_unions: the contract, "G5: concurrent appends from two nodes are united"
 * unknown_session_returns_empty_ok: the contract, "an unknown session is empty, and not an error"
 * wrongtype_reply_fails_closed: valkey-failures, "a key of the wrong type rejects loads and appends…"
 * unreachable_endpoint_fails_closed: valkey-failures, "unreachable"
 * ttl_set_on_append_and_refreshed_on_load: valkey-session-store, "TTL"
 *
 * visitor.rs and config_selects_session_store_via_factory: cpex-store-block
 * unknown_session_store_kind_fails_config_load: session-store-registry
 */
describe('ValkeySessionStore options', () => {
  it('have the defaults of CPEX, which has neither retry nor circuit breaker', () => {
    // nor a limit of labels, nor records of them
    expect(parseValkeyConfig({ endpoint })).to.deep.equal({
      endpoint: { host: 'localhost', port: 6379, tls: false },
      keyPrefix: 'taint:v1',
      maxLabelsPerSession: 1_000,
      connectTimeoutMs: 250,
      commandTimeoutMs: 500,
      retry: true,
      circuitBreaker: false,
      provenance: false,
    });
  });

  it('a circuit breaker has its own defaults', () => {
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

  it('give the deadline of one call, which is both timeouts', async () => {
    const store = new ValkeySessionStore({ endpoint, connectTimeoutMs: 100, commandTimeoutMs: 30 });
    expect(store.deadlineMs).to.equal(130);
    await store.close();
  });

  for (const { what, options, parsed } of [
    {
      what: 'host:port with tls',
      options: { endpoint: 'db:1', tls: true },
      parsed: { host: 'db', port: 1, tls: true },
    },
    {
      what: 'host:port with tls details',
      options: { endpoint: 'db:1', tls: { servername: 'db.internal' } },
      parsed: { host: 'db', port: 1, tls: true },
    },
    {
      what: 'a separate login, with its characters as they are',
      options: { endpoint, username: 'a@b', password: 'p@ss:/w%rd?#' },
      parsed: { host: 'localhost', port: 6379, tls: false, username: 'a@b', password: 'p@ss:/w%rd?#' },
    },
    {
      what: 'a separate password without a username, for the default user',
      options: { endpoint, password: 'hunter2' },
      parsed: { host: 'localhost', port: 6379, tls: false, password: 'hunter2' },
    },
    {
      what: 'tls: false as if it were absent, also with rediss://',
      options: { endpoint: 'rediss://db:1', tls: false },
      parsed: { host: 'db', port: 1, tls: true },
    },
  ]) {
    it(`take ${what}`, () => {
      const config = parseValkeyConfig(options);
      expect('endpoint' in config && config.endpoint).to.deep.equal(parsed);
    });
  }

  it('keep the tls values as strings, one ca or several', () => {
    const details = { ca: Buffer.from(ca + ca), ...own, servername: 'valkey.internal' };
    const config = parseValkeyConfig({ endpoint, tls: details });
    expect('tls' in config && config.tls).to.deep.equal({ ...details, ca: ca + ca });
  });

  it('leave no secret visible in the store', () => {
    const store = new ValkeySessionStore({ endpoint, tls: own, username: 'u', password: 'hunter2' });
    const shown = inspect(store, { depth: 10, showHidden: true }) + JSON.stringify(store);
    expect(shown).to.not.include('hunter2').and.not.include('PRIVATE KEY');
  });

  describe('raise session_store_ttl_unsound at start, to each middleware', () => {
    const alarmsOf = (options: ValkeySessionStoreOptions): Alarm[] => {
      const alarms: Alarm[] = [];
      const store = new ValkeySessionStore({ endpoint, ...options });
      const logger = { warn: () => {}, error: () => {} };
      aplSessionMiddleware({ session: () => undefined, store, logger, onAlarm: (alarm) => void alarms.push(alarm) });
      return alarms;
    };

    it('if ttlSeconds is below maxSessionLifetimeSeconds', () => {
      const error = 'ttlSeconds is 59 and maxSessionLifetimeSeconds is 60. Raise ttlSeconds to at least 60.';
      const unsound = { alarm: 'session_store_ttl_unsound', error, ttlSeconds: 59, maxSessionLifetimeSeconds: 60 };
      const alarms = alarmsOf({ ttlSeconds: 59, maxSessionLifetimeSeconds: 60 });
      expect(alarms).to.deep.equal([unsound]);
      expect(alarms[0]).to.be.frozen;
    });

    for (const { what, options } of [
      { what: 'they are equal', options: { ttlSeconds: 60, maxSessionLifetimeSeconds: 60 } },
      { what: 'nothing ever expires', options: { maxSessionLifetimeSeconds: 60 } },
      { what: 'no lifetime is given', options: { ttlSeconds: 60 } },
    ]) {
      it(`not if ${what}`, () => {
        expect(alarmsOf(options)).to.deep.equal([]);
      });
    }
  });

  for (const { what, options, names } of [
    { what: 'no options', options: undefined, names: 'options' },
    { what: 'no endpoint', options: {}, names: 'endpoint' },
    { what: 'an endpoint that is no string', options: { endpoint: 6379 }, names: 'endpoint' },
    { what: 'an empty endpoint', options: { endpoint: '' }, names: 'endpoint' },
    { what: 'an unknown key', options: { endpoint, ttl_seconds: 5 }, names: 'ttl_seconds' },
    { what: 'tls with redis://', options: { endpoint: 'redis://localhost:6379', tls: true }, names: 'rediss://' },
    { what: 'tls details with redis://', options: { endpoint: 'redis://localhost', tls: {} }, names: 'rediss://' },
    { what: 'an unknown key of tls', options: { endpoint, tls: { rejectUnauthorized: false } }, names: 'tls.rejectU' },
    { what: 'a path as ca', options: { endpoint, tls: { ca: '/etc/ssl/ca.pem' } }, names: 'tls.ca' },
    { what: 'a broken ca', options: { endpoint, tls: { ca: BROKEN } }, names: 'tls.ca' },
    { what: 'a good ca before a broken one', options: { endpoint, tls: { ca: ca + BROKEN } }, names: 'tls.ca' },
    { what: 'a cert without a key', options: { endpoint, tls: { cert: own.cert } }, names: 'tls.key' },
    { what: 'a key without a cert', options: { endpoint, tls: { key: own.key } }, names: 'tls.cert' },
    { what: 'the key of another', options: { endpoint, tls: { cert: own.cert, key: other.key } }, names: 'tls.key' },
    { what: 'a key that is not PEM', options: { endpoint, tls: { cert: own.cert, key: 'hunter2' } }, names: 'tls.key' },
    { what: 'an address as servername', options: { endpoint, tls: { servername: '10.0.0.5' } }, names: 'servername' },
    { what: 'a username without a password', options: { endpoint, username: 'app' }, names: 'password' },
    { what: 'an empty username', options: { endpoint, username: '', password: 'hunter2' }, names: 'username' },
    { what: 'an empty password', options: { endpoint, password: '' }, names: 'password' },
    { what: 'a password that is a number', options: { endpoint, password: 5 }, names: 'password' },
    ...['rediss://db.internal', 'redis://localhost', 'rediss://u:hunter2@db.internal', 'u:hunter2@localhost'].flatMap(
      (url) => [
        { what: `${url} and a password`, options: { endpoint: url, password: 'hunter2' }, names: 'credentials' },
        {
          what: `${url} and a login`,
          options: { endpoint: url, username: 'u', password: () => 'hunter2' },
          names: 'credentials',
        },
      ],
    ),
    {
      what: 'maxSessionLifetimeSeconds 0',
      options: { endpoint, maxSessionLifetimeSeconds: 0 },
      names: 'maxSessionLifetimeSeconds',
    },
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
    { what: 'an empty durability', options: { endpoint, durability: {} }, names: "'local', 'replicas' or both" },
    {
      what: 'a durability whose values are undefined',
      options: { endpoint, durability: { local: undefined, replicas: undefined } },
      names: "'local', 'replicas' or both",
    },
    {
      what: 'a durability with fencedReads: false alone',
      options: { endpoint, durability: { fencedReads: false } },
      names: "'local', 'replicas' or both",
    },
    {
      what: 'fencedReads without replicas',
      options: { endpoint, durability: { local: 'synced', fencedReads: true } },
      names: "'fencedReads' needs 'replicas'",
    },
    { what: 'two faults', options: { endpoint, ttlSeconds: 0, tls: 'yes' }, names: 'tls' },
    { what: 'plain text to another machine', options: { endpoint: 'redis://u:hunter2@db:6379' }, names: 'rediss://' },
  ]) {
    it(`${what}: config.invalid names ${names} and shows no credential`, () => {
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
