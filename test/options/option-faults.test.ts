import { expect } from 'chai';
import {
  aplSessionMiddleware,
  denyIf,
  fromExpressJwt,
  fromMcpBearerAuth,
  fromOauth2JwtBearer,
  jsonRpcDenial,
  MemorySessionStore,
  openSession,
  policy,
  policyViolationHandler,
  requireSession,
  requireThat,
  sessionStoreBlock,
  subjectSession,
  taint,
} from '../../lib/index.js';
import { ValkeySessionStore, valkeySessionStoreFactory } from '../../lib/valkey.js';
import { rejectionOf } from '../support/eventually.js';

const session = (): string => 'id';
const subject = (): string => 'alice';
const issuer = 'https://issuer.example';
const endpoint = 'localhost:6379';
const violation = { code: 'c', reason: 'r' };
const storeFactories = [valkeySessionStoreFactory];

/** The message of the error that a call throws or rejects with. */
async function messageOf(call: (...args: never[]) => unknown, args: readonly unknown[]): Promise<string> {
  const error = await rejectionOf((async () => Reflect.apply(call, undefined, args))());
  expect(error).to.have.property('code', 'config.invalid');
  return (error as Error).message;
}

/** Each options object of the package, with a misspelt name in it. */
const MISSPELT: ReadonlyArray<readonly [call: (...args: never[]) => unknown, args: readonly unknown[], text: string]> =
  [
    [
      aplSessionMiddleware,
      [{ sesion: session }],
      "aplSessionMiddleware: unknown option 'sesion'; did you mean 'session'?",
    ],
    [
      aplSessionMiddleware,
      [{ session, sesionless: 'deny' }],
      "aplSessionMiddleware: unknown option 'sesionless'; did you mean 'sessionless'?",
    ],
    [
      aplSessionMiddleware,
      [{ session, denial: { header: {} } }],
      "aplSessionMiddleware: denial: unknown option 'header'; did you mean 'headers'?",
    ],
    [
      aplSessionMiddleware,
      [{ session, store: { kind: 'memory', maxSession: 5 } }],
      "MemorySessionStore: unknown option 'maxSession'; did you mean 'maxSessions'?",
    ],
    [
      aplSessionMiddleware,
      [{ session, storeFactories, store: { kind: 'valkey', endpiont: endpoint } }],
      "ValkeySessionStore: unknown option 'endpiont'; did you mean 'endpoint'?",
    ],
    [subjectSession, [{ subjet: subject }], "subjectSession: unknown option 'subjet'; did you mean 'subject'?"],
    [
      subjectSession,
      [{ subject, sessionID: subject }],
      "subjectSession: unknown option 'sessionID'; did you mean 'sessionId'?",
    ],
    [
      fromExpressJwt,
      [{ issuer, requestProprety: 'user' }],
      "fromExpressJwt: unknown option 'requestProprety'; did you mean 'requestProperty'?",
    ],
    [fromOauth2JwtBearer, [{ isuer: issuer }], "fromOauth2JwtBearer: unknown option 'isuer'; did you mean 'issuer'?"],
    [
      fromMcpBearerAuth,
      [{ issuer, session_claim: 'sid' }],
      "fromMcpBearerAuth: unknown option 'session_claim'; did you mean 'sessionClaim'?",
    ],
    [taint, ['secret', { scpoe: 'message' }], "taint: unknown option 'scpoe'; did you mean 'scope'?"],
    [denyIf, ['secret', violation, { denail: {} }], "denyIf: unknown option 'denail'; did you mean 'denial'?"],
    [denyIf, [{ al: ['secret'] }, violation], "denyIf: unknown option 'al'; did you mean 'all'?"],
    [requireThat, [() => true, violation, { nam: 'x' }], "requireThat: unknown option 'nam'; did you mean 'name'?"],
    [requireSession, [{ nmae: 'x' }], "requireSession: unknown option 'nmae'; did you mean 'name'?"],
    [policy, [() => ({ allow: true }), { sub: subject }], "policy: unknown option 'sub'; did you mean 'subject'?"],
    [
      policyViolationHandler,
      [{ denials: {} }],
      "policyViolationHandler: unknown option 'denials'; did you mean 'denial'?",
    ],
    [jsonRpcDenial, [{ stauts: 200 }], "jsonRpcDenial: unknown option 'stauts'; did you mean 'status'?"],
    [openSession, [{ session: 'id', sotre: {} }], "openSession: unknown option 'sotre'; did you mean 'store'?"],
    [
      sessionStoreBlock,
      [{}, { onWarnings: () => {} }],
      "sessionStoreBlock: unknown option 'onWarnings'; did you mean 'onWarning'?",
    ],
    [
      (options) => new MemorySessionStore(options),
      [{ ttl: 60 }],
      "MemorySessionStore: unknown option 'ttl'; did you mean 'ttlSeconds'?",
    ],
    [
      (options) => new ValkeySessionStore({ endpoint }).check(options),
      [{ repeat: true }],
      "check: unknown option 'repeat'; did you mean 'repeatAlarms'?",
    ],
    [
      (options) => new ValkeySessionStore(options),
      [{ endpoint, tls: { cart: 'x' } }],
      "ValkeySessionStore: unknown option 'tls.cart'; did you mean 'tls.cert'?",
    ],
    [
      (options) => new ValkeySessionStore(options),
      [{ endpoint, circuitBreaker: { halfOpenAfter: 5 } }],
      "ValkeySessionStore: unknown option 'circuitBreaker.halfOpenAfter'; did you mean 'circuitBreaker.halfOpenAfterMs'?",
    ],
  ];

describe('options with a misspelt name', () => {
  for (const [call, args, text] of MISSPELT) {
    it(text, async () => {
      const message = await messageOf(call, args);
      // other faults of the same options may follow
      expect(message.slice(0, text.length)).to.equal(text);
    });
  }

  it('the option that was misspelt is not reported as missing', async () => {
    expect(await messageOf(aplSessionMiddleware, [{ sesion: session }])).to.match(/did you mean 'session'\?$/);
  });

  it('a name that is like no option: the message lists the options', async () => {
    expect(await messageOf(subjectSession, [{ subject, tenant: subject }])).to.equal(
      "subjectSession: unknown option 'tenant'; the options are 'subject', 'sessionId', 'claim', 'caller', 'gateway', 'keying'.",
    );
  });

  it('the message names all faults', async () => {
    expect(await messageOf(aplSessionMiddleware, [{ session, sotre: {}, storeTimeoutMs: '5' }])).to.equal(
      "aplSessionMiddleware: unknown option 'sotre'; did you mean 'store'? 'storeTimeoutMs' must be a number; got a string: convert it with Number().",
    );
  });
});

describe('options of a wrong type', () => {
  const wrong: typeof MISSPELT = [
    [
      (options) => new MemorySessionStore(options),
      [{ ttlSeconds: '60' }],
      "MemorySessionStore: 'ttlSeconds' must be a number; got a string: convert it with Number().",
    ],
    [
      (options) => new ValkeySessionStore(options),
      [{ endpoint, ttlSeconds: '60' }],
      "ValkeySessionStore: 'ttlSeconds' must be a number; got a string: convert it with Number().",
    ],
    [
      (options) => new ValkeySessionStore(options),
      [{ endpoint, retry: 'false' }],
      "ValkeySessionStore: 'retry' must be a boolean; got a string: write true or false without quotes.",
    ],
    [fromExpressJwt, [], "fromExpressJwt: 'options' must be an object with 'issuer'; got undefined."],
    [fromOauth2JwtBearer, [issuer], "fromOauth2JwtBearer: 'options' must be an object with 'issuer'; got a string."],
    [subjectSession, [subject], "subjectSession: 'options' must be an object with 'subject'; got a function."],
    [
      aplSessionMiddleware,
      [Promise.resolve({ session })],
      'aplSessionMiddleware: the options are a promise; await it.',
    ],
  ];
  for (const [call, args, text] of wrong) {
    it(text, async () => expect(await messageOf(call, args)).to.equal(text));
  }
});
