import { inspect } from 'node:util';
import { expect } from 'chai';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { parseValkeyEndpoint, redactEndpoint } from '../../../../lib/stores/valkey/config/valkey-endpoint.js';
import { thrownBy } from '../../../support/eventually.js';

function failure(endpoint: string): AplSessionError {
  const error = thrownBy(() => parseValkeyEndpoint(endpoint));
  expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
  return error as AplSessionError;
}

describe('parseValkeyEndpoint', () => {
  const plain = { host: 'localhost', port: 6379, tls: false };
  for (const { endpoint, parsed } of [
    { endpoint: 'redis://localhost:6379', parsed: plain },
    { endpoint: 'redis://localhost', parsed: plain },
    { endpoint: 'redis://localhost:6379/', parsed: plain },
    { endpoint: 'REDIS://localhost:6379', parsed: plain },
    { endpoint: 'localhost:6379', parsed: plain },
    { endpoint: 'localhost', parsed: plain },
    { endpoint: '127.0.0.1:7000', parsed: { host: '127.0.0.1', port: 7000, tls: false } },
    { endpoint: '127.1.2.3:7000', parsed: { host: '127.1.2.3', port: 7000, tls: false } },
    { endpoint: 'redis://[::1]:7000', parsed: { host: '::1', port: 7000, tls: false } },
    { endpoint: '[::1]:7000', parsed: { host: '::1', port: 7000, tls: false } },
    { endpoint: 'redis://localhost/3', parsed: { ...plain, db: 3 } },
    { endpoint: 'redis://localhost/0', parsed: { ...plain, db: 0 } },
    { endpoint: 'redis://app:pw@localhost', parsed: { ...plain, username: 'app', password: 'pw' } },
    { endpoint: 'redis://:pw@localhost', parsed: { ...plain, password: 'pw' } },
    { endpoint: 'app:pw@localhost:6379', parsed: { ...plain, username: 'app', password: 'pw' } },
    { endpoint: 'redis://a%40b:p%3A%2F%25w@localhost', parsed: { ...plain, username: 'a@b', password: 'p:/%w' } },
    { endpoint: 'rediss://valkey.internal', parsed: { host: 'valkey.internal', port: 6379, tls: true } },
    { endpoint: 'rediss://10.0.0.5:6380', parsed: { host: '10.0.0.5', port: 6380, tls: true } },
    { endpoint: 'rediss://localhost', parsed: { ...plain, tls: true } },
  ]) {
    it(`reads ${endpoint}`, () => {
      expect(parseValkeyEndpoint(endpoint)).to.deep.equal(parsed);
    });
  }

  for (const endpoint of [
    'redis://valkey.internal:6379',
    'valkey.internal:6379',
    '10.0.0.5:6379',
    '127.0.0.1.example.com:6379',
    'localhost.example.com:6379',
    'redis://LOCALHOST:6379',
    'redis://[::2]:6379',
    'redis://0.0.0.0:6379',
    'redis://localhost@valkey.internal',
    'redis://user:pw@valkey.internal:6379',
  ]) {
    it(`needs TLS: ${endpoint}`, () => {
      const { message } = failure(endpoint);
      if (!endpoint.includes('localhost@')) expect(message).to.include('rediss://');
    });
  }

  for (const endpoint of [
    '',
    ' ',
    'http://localhost:6379',
    'unix:///tmp/valkey.sock',
    'redis://',
    'redis://:6379',
    'redis://localhost:notaport',
    'redis://localhost:65536',
    'redis://localhost:0',
    'redis://localhost:6379/notadb',
    'redis://localhost:6379/1/2',
    'redis://localhost:6379/-1',
    'redis://localhost:6379?family=6',
    'redis://localhost:6379#x',
    'redis://app@localhost:6379',
    'redis://app:@localhost:6379',
    'redis://app:%zz@localhost:6379',
    'redis://one:6379,two:6379',
  ]) {
    it(`refuses '${endpoint}' with config.invalid`, () => {
      failure(endpoint);
    });
  }

  for (const endpoint of [
    'redis://app:hunter2@valkey.internal:6379',
    'app:hunter2@valkey.internal:6379',
    'http://app:hunter2@localhost',
    'redis+tls://app:hunter2@localhost',
    'redis://app:hunter2%zz@localhost',
    'redis://app:hunter2@localhost/notadb',
    'redis://hunter2@localhost',
    'redis://app:hun/ter2hunter2@localhost',
    'redis://app:hun?hunter2@localhost',
    'redis://app:hun#hunter2@localhost',
    'redis://app:p@hunter2@valkey.internal',
    'redis://app:hunter2\n@valkey.internal',
    'redis://localhost:6379?password=hunter2',
    'redis://localhost:6379/0?password=hunter2',
    'redis://localhost:6379#hunter2',
    'redis://app:x@localhost:6379?password=hunter2',
    'app:hunter2',
    'redis://app:hunter2',
    'redis://:hunter2',
    'rediss://valkey.internal/hunter2',
    'rediss://h/hunter2',
    'valkey.internal:6380/hunter2',
    'valkey.internal?password=hunter2',
    '//app:hunter2@valkey.internal',
    'redis:/app:hunter2@valkey.internal',
    'redis:hunter2',
    'VALKEY_URL="redis://app:hunter2@valkey.internal"',
    'VALKEY_URL=app:hunter2@valkey.internal',
    'export VALKEY_URL=redis://app:hunter2@valkey.internal',
    "'redis://app:hunter2@valkey.internal'",
    ' redis://app:hunter2@valkey.internal',
    'redis://app:hunter2 x@valkey.internal',
    'redis://app:hun%hunter2@valkey.internal',
    'redis://app:1/hunter2@valkey.internal',
    'redis://app:1?hunter2@valkey.internal',
    'redis://app:1#hunter2@valkey.internal',
    'redis://app:x@hunter2/@valkey.internal',
    'redis://app:hunter2@',
    'redis://user:a@hunter2',
    'user:a@hunter2',
    'user:a@hunter2:6379',
    'redis://user:a.b@hunter2.c',
    'redis://app:hunter2@valkey.internal@',
    'valkey://valkey.internal/hunter2',
    'unix://app:hunter2@/tmp/valkey.sock',
    '/run/hunter2.sock',
    'hunter2',
    'redis://hunter2',
  ]) {
    it(`shows no credential of ${JSON.stringify(endpoint)}`, () => {
      const error = failure(endpoint);
      for (const text of [error.message, JSON.stringify(error), inspect(error, { depth: 10 })]) {
        expect(text).to.not.include('hunter2');
      }
    });
  }
});

describe('parseValkeyEndpoint, common mistakes', () => {
  for (const [endpoint, fix] of [
    ['redis://app:p/w@localhost:6379', '%2F'],
    ['redis://app:1/w@localhost:6379', '%2F'],
    ['redis://app:p?w@localhost:6379', '%3F'],
    ['redis://app:p#w@localhost:6379', '%23'],
    ['app:p/w@localhost:6379', '%2F'],
    ['redis://app:p%w@localhost', 'write % as %25'],
    ['unix:///run/valkey.sock', "a 'client' that is connected to the socket"],
    ['redis+socket:///run/valkey.sock', "a 'client' that is connected to the socket"],
    ['/run/valkey.sock', "a 'client' that is connected to the socket"],
    ['"redis://localhost:6379"', 'in quotes: remove the quotes'],
    ["'localhost:6379'", 'in quotes: remove the quotes'],
    ['"redis://localhost:6379', 'in quotes: remove the quotes'],
    ['VALKEY_URL=redis://localhost:6379', 'give only the part after the ='],
    ['url="localhost:6379"', 'give only the part after the ='],
    ['redis://localhost:6379\n', 'contains white space: remove it'],
  ] as const) {
    it(`${JSON.stringify(endpoint)}: the message says "${fix}"`, () => {
      expect(failure(endpoint).message).to.include(fix);
    });
  }

  for (const { endpoint, parsed } of [
    { endpoint: 'redis://a=b:c%3Dd@localhost', parsed: { username: 'a=b', password: 'c=d' } },
    { endpoint: 'a=b:c@localhost', parsed: { username: 'a=b', password: 'c' } },
    { endpoint: "redis://app:it's@localhost/1", parsed: { username: 'app', password: "it's", db: 1 } },
    { endpoint: 'redis://app:p%20%40%2Fw@localhost', parsed: { username: 'app', password: 'p @/w' } },
  ]) {
    it(`${endpoint} is not such a mistake`, () => {
      expect(parseValkeyEndpoint(endpoint)).to.include(parsed);
    });
  }
});

describe('redactEndpoint', () => {
  for (const { endpoint, redacted } of [
    { endpoint: 'redis://localhost:6379', redacted: 'redis://localhost:6379' },
    { endpoint: 'localhost:6379', redacted: 'localhost:6379' },
    { endpoint: 'redis://app:pw@localhost:6379/2', redacted: 'redis://***@localhost:6379/2' },
    { endpoint: 'rediss://:pw@valkey.internal', redacted: 'rediss://***' },
    { endpoint: 'rediss://:pw@valkey.internal:6379', redacted: 'rediss://***' },
    { endpoint: 'user:a@hunter2:6379', redacted: '***' },
    { endpoint: 'redis://user:a@hunter2:6379', redacted: 'redis://***' },
    { endpoint: 'redis://user:a@hunter2.x:6379/1', redacted: 'redis://***' },
    { endpoint: 'app:pw@localhost', redacted: '***@localhost' },
    { endpoint: 'redis://app:p@w@localhost', redacted: 'redis://***@localhost' },
    { endpoint: 'redis://localhost?password=pw', redacted: 'redis://localhost?***' },
    { endpoint: 'redis://localhost#pw', redacted: 'redis://localhost#***' },
    { endpoint: 'redis://valkey:6379', redacted: 'redis://valkey:6379' },
    { endpoint: 'rediss://10.0.0.5:7000/1', redacted: 'rediss://10.0.0.5:7000/1' },
    { endpoint: 'rediss://valkey.internal/pw', redacted: 'rediss://valkey.internal/***' },
    { endpoint: 'rediss://valkey.internal/12345', redacted: 'rediss://valkey.internal/***' },
    { endpoint: 'redis://name.of-user:12345', redacted: 'redis://name.of-user:***' },
    { endpoint: 'redis://user:12345', redacted: 'redis://***' },
    { endpoint: 'user:12345', redacted: '***' },
    { endpoint: 'redis://word', redacted: 'redis://***' },
    { endpoint: 'redis://app:p@w/d@localhost', redacted: 'redis://***' },
  ]) {
    it(`${endpoint} becomes ${redacted}`, () => {
      expect(redactEndpoint(endpoint)).to.equal(redacted);
    });
  }
});
