import { expect } from 'chai';
import {
  type AplSessionOptions,
  aplSessionMiddleware,
  denyIf,
  fromExpressJwt,
  healthHandler,
  jsonRpcDenial,
  MemorySessionStore,
} from '../../lib/index.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { thrownBy } from '../support/eventually.js';

const session = (): string => 'id';
const violation = { code: 'c', reason: 'r' };
const store = new MemorySessionStore();
const withOptions = (options: object) => () => aplSessionMiddleware({ session, ...options } as AplSessionOptions);
const withDenial = (denial: unknown) => withOptions({ denial });
const memory = (options: object) => () => new MemorySessionStore(options);
const valkey = (options: object) => () => new ValkeySessionStore({ endpoint: 'localhost', ...options });

/** Wrong values, and the end of the message. */
const WRONG: ReadonlyArray<readonly [make: () => unknown, text: string]> = [
  [withOptions({ onAlarm: 1 }), "'onAlarm' must be a function; got a number."],
  [withOptions({ sessionless: 'Deny' }), "'sessionless' must be 'allow' or 'deny'; got another text."],
  [withOptions({ sessionless: null }), "'sessionless' must be 'allow' or 'deny'; got null."],
  [withOptions({ logger: {} }), "'logger' must have the methods warn and error, as console has."],
  [withOptions({ storeTimeoutMs: 0 }), "'storeTimeoutMs' must be at least 1."],
  [withOptions({ storeTimeoutMs: 1.5 }), "'storeTimeoutMs' must be a whole number."],
  [withOptions({ storeTimeoutMs: Number.NaN }), "'storeTimeoutMs' must be a number; got NaN."],
  [withDenial('no'), "'denial' must be { status, headers, body }, or a function of (denial, req, res); got a string."],
  [withDenial({ status: 700 }), "denial: 'status' must be at most 599."],
  [withDenial({ body: 5 }), "denial: 'body' must be a string, an object or an array; got a number."],
  [
    withDenial({ headers: { 'x-a': 'b\n' } }),
    "denial: 'headers.x-a' has a character that no header value may have, for example a line break; remove it.",
  ],
  [
    withDenial({ headers: { 'a b': 'c' } }),
    "denial: 'options' has a name in 'headers' that is no header name; use letters, digits and hyphens.",
  ],
  [withDenial({ headers: Promise.resolve({}) }), "denial: 'headers' is a promise; await it."],
  [() => denyIf({} as 'x', violation), "denyIf: one of 'any' and 'all' is required."],
  [
    () => denyIf({ any: ['a'], all: ['b'] } as unknown as 'x', violation),
    "'any' and 'all' exclude each other; keep one of them.",
  ],
  [() => denyIf({ any: [] } as unknown as 'x', violation), "'any' must have at least 1 item."],
  [() => denyIf('x', violation, { name: '' }), "'name' is an empty string; give a text, or leave the option out."],
  [() => jsonRpcDenial({ status: 204 }), "'status' must not be 204, 205 or 304."],
  [
    () => fromExpressJwt({ issuer: 5 as unknown as string }),
    "'issuer' must be a string, an array or null; got a number.",
  ],
  [
    () => healthHandler({ store, details: 'yes' as unknown as boolean }),
    "'details' must be a boolean; got a string: write true or false without quotes.",
  ],
  [memory({ provenance: Promise.resolve() }), "'provenance' is a promise; await it."],
  [valkey({ password: '' }), "'password' must be a non-empty string, or a function that returns it."],
  [valkey({ circuitBreaker: 'x' }), "'circuitBreaker' must be false or an object; got a string."],
  [valkey({ tls: { ca: 5 } }), "'tls.ca' must be a string or a Buffer; got a number."],
  [valkey({ tls: { servername: 'a b' } }), "'tls.servername' must be a host name, for example valkey.internal."],
];

describe('options with a wrong value', () => {
  for (const [make, text] of WRONG) {
    it(text.slice(0, 70), () => {
      const error = thrownBy(make);
      expect(error).to.have.property('code', 'config.invalid');
      expect((error as Error).message.slice(-text.length)).to.equal(text);
    });
  }
});
