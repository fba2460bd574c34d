import { expect } from 'chai';
import type { Request } from 'express';
import { AplSessionError } from '../../lib/contract/errors.js';
import { type SessionAccessor, type SubjectSessionOptions, subjectSession } from '../../lib/session/subject-session.js';
import { rejectionOf, thrownBy } from '../support/eventually.js';
import { runModule } from '../support/node-child.js';
import { PARITY_VECTORS } from '../support/parity-vectors.js';
import { accessorsFor, answerFor, type Given, KEYING_NAMES, sessionFor } from '../support/resolve-session.js';

const req = {} as Request;
const NAMES = ['subject', 'sessionId', 'claim', 'caller', 'gateway'] as const;

/** Resolves like the middleware does: an exception and a rejection are the same to it. */
async function resolve(given: Given): Promise<unknown> {
  return answerFor(given);
}

/** The values with which the accessor `name` is reached, `value` being its own. */
function reaching(name: (typeof NAMES)[number], value: unknown): Given {
  return { subject: 'alice', [name]: value };
}

describe('subjectSession', () => {
  it('calls the accessors with the request', async () => {
    const request = { auth: 'alice', header: 'sess-upstream' } as unknown as Request;
    const read =
      (name: string): SessionAccessor =>
      (given) =>
        (given as unknown as Record<string, string>)[name];
    expect(await subjectSession({ subject: read('auth'), sessionId: read('header') })(request)).to.deep.equal({
      id: '68755f41a98324d6',
      source: 'agent',
    });
  });

  for (const nothing of [undefined, null, '']) {
    const shown = nothing === '' ? 'an empty string' : String(nothing);
    it(`G6: ${shown} as subject means no session, and nothing else is read`, async () => {
      const forbidden = (): never => {
        throw new Error('must not be read');
      };
      const rest = { sessionId: forbidden, claim: forbidden, caller: forbidden, gateway: forbidden };
      expect(subjectSession({ subject: () => nothing, ...rest })(req)).to.equal(undefined);
      expect(await subjectSession({ subject: async () => nothing, ...rest })(req)).to.equal(undefined);
    });

    it(`${shown} as subject: only the first accessor with a reason explains it`, () => {
      const silent = Object.assign(() => expect.fail('must not be read'), { explain: () => undefined });
      const telling = Object.assign(() => expect.fail('must not be read'), { explain: () => 'no cookie' });
      const resolverOf = (sessionId: SessionAccessor) =>
        subjectSession({ subject: () => nothing, sessionId, claim: silent });
      expect(resolverOf(silent).explain(req)).to.equal('no subject');
      expect(resolverOf(telling).explain(req)).to.equal('no cookie');
    });

    it(`G6: ${shown} as subject, with a missing middleware, is that error`, async () => {
      const explain = (): never => {
        throw new AplSessionError('session.invalid', 'not mounted');
      };
      const gateway = Object.assign(() => 'gateway', { explain });
      for (const subject of [() => nothing, async () => nothing]) {
        const resolving = (async () => subjectSession({ subject, gateway })(req))();
        expect(await rejectionOf(resolving)).to.have.property('code', 'session.invalid');
      }
      expect(subjectSession({ subject: () => 'alice', gateway })(req)).to.include({ source: 'identity' });
    });

    it(`${shown} as session id goes on to the claim, and then to the identity`, async () => {
      for (const sessionId of [nothing, Promise.resolve(nothing)]) {
        expect(await resolve({ subject: 'alice', sessionId, claim: 'c' })).to.include({ source: 'token_claim' });
        expect(await resolve({ subject: 'alice', sessionId })).to.deep.equal(sessionFor({ subject: 'alice' }));
      }
    });

    it(`${shown} as caller or gateway counts as missing`, async () => {
      for (const value of [nothing, Promise.resolve(nothing)]) {
        expect(await resolve({ subject: 'alice', caller: value, gateway: value })).to.deep.equal(
          sessionFor({ subject: 'alice' }),
        );
      }
    });
  }

  it('a tier that matches reads nothing of the later tiers', () => {
    const forbidden = (): never => {
      throw new Error('must not be read');
    };
    const subject = (): string => 'alice';
    const identity = { caller: forbidden, gateway: forbidden };
    expect(subjectSession({ subject, sessionId: () => 's', claim: forbidden, ...identity })(req)).to.include({
      source: 'agent',
    });
    expect(subjectSession({ subject, claim: () => 's', ...identity })(req)).to.include({ source: 'token_claim' });
  });

  it('G6: the id never shows what the client chose', () => {
    for (const keying of KEYING_NAMES) {
      expect(JSON.stringify(sessionFor({ subject: 'alice', sessionId: 'sess-upstream' }, keying))).to.not.match(
        /alice|upstream/,
      );
    }
  });

  for (const { name, given, id, source } of PARITY_VECTORS) {
    it(`is synchronous where every accessor is: ${name}`, () => {
      expect(answerFor(given)).to.deep.equal({ id, source });
    });

    for (const promised of Object.keys(given)) {
      it(`awaits a promise of ${promised}: ${name}`, async () => {
        const value = Promise.resolve(given[promised as keyof typeof given]);
        const answer = answerFor({ ...given, [promised]: value });
        expect(answer).to.be.instanceOf(Promise);
        expect(await answer).to.deep.equal({ id, source });
      });
    }
  }

  it('all accessors may be async', async () => {
    const given = Object.fromEntries(NAMES.map((name) => [name, Promise.resolve(name)]));
    expect(await resolve(given)).to.deep.equal(sessionFor({ subject: 'subject', sessionId: 'sessionId' }));
  });

  describe('errors of an accessor go to the caller', () => {
    const failure = new Error('token expired');
    const throwing: SessionAccessor = () => {
      throw failure;
    };
    const rejecting: SessionAccessor = async () => {
      throw failure;
    };
    for (const name of NAMES) {
      for (const [how, accessor] of [
        ['throws', throwing],
        ['rejects', rejecting],
      ] as const) {
        it(`${name} ${how}`, async () => {
          const call = async (): Promise<unknown> =>
            subjectSession({ ...accessorsFor({ subject: 'alice' }), [name]: accessor })(req);
          expect(await rejectionOf(call())).to.equal(failure);
        });
      }
    }

    it('both fail, one of them late: no unhandled rejection', async function () {
      this.timeout(20_000);
      const { code, stderr, stdout } = await runModule(`
        import { subjectSession } from './lib/index.ts';
        const later = () => new Promise((_, reject) => setTimeout(reject, 5, new Error('late')));
        const now = () => { throw new Error('now'); };
        for (const [subject, sessionId] of [[later, now], [now, later], [later, later]]) {
          const resolve = async () => subjectSession({ subject, sessionId })({});
          await resolve().catch((error) => console.log(error.message));
        }
        await new Promise((resolve) => setTimeout(resolve, 20));`);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      expect(stdout.split('\n')).to.have.length(4);
    });
  });

  for (const { what, value } of [
    { what: 'a number', value: 42 },
    { what: 'an array (a header that came twice)', value: ['a', 'b'] },
    { what: 'an object', value: { id: 'a' } },
    { what: 'true', value: true },
    { what: 'a function', value: () => 'a' },
    { what: 'a string with a lone surrogate', value: 'a\ud800' },
  ]) {
    for (const name of ['subject', 'sessionId', 'caller', 'gateway'] as const) {
      it(`${what} from ${name} is session.invalid, now and promised`, async () => {
        for (const given of [value, Promise.resolve(value)]) {
          expect(await rejectionOf(resolve(reaching(name, given)))).to.have.property('code', 'session.invalid');
        }
      });
    }
  }

  for (const { what, value } of [
    { what: 'a string with a lone surrogate', value: 'a\ud800' },
    { what: 'a lone surrogate inside', value: { a: ['\ud800'] } },
    { what: 'a lone surrogate in a key', value: { '\ud800': 1 } },
    { what: 'an integer that JSON.parse has rounded', value: 2 ** 53 },
    { what: 'NaN', value: Number.NaN },
    { what: 'infinity', value: Number.POSITIVE_INFINITY },
    { what: 'a bigint', value: 1n },
    { what: 'a function', value: () => 'a' },
    { what: 'a symbol', value: Symbol('a') },
    { what: 'undefined inside', value: { a: undefined } },
    { what: 'a hole', value: new Array(1) },
    { what: 'a Map, which JSON makes {}', value: new Map([['a', 1]]) },
    { what: 'a Date', value: new Date(0) },
  ]) {
    it(`${what} from claim is session.invalid, now and promised`, async () => {
      for (const given of [value, Promise.resolve(value)]) {
        expect(await rejectionOf(resolve(reaching('claim', given)))).to.have.property('code', 'session.invalid');
      }
    });
  }

  it('equal claims give one session, in any order of their members', () => {
    expect(sessionFor(reaching('claim', { a: 1, b: { c: 2, d: 3 } }))).to.deep.equal(
      sessionFor(reaching('claim', { b: { d: 3, c: 2 }, a: 1 })),
    );
  });

  it('session.invalid does not repeat the value', async () => {
    for (const name of NAMES) {
      const error = (await rejectionOf(resolve(reaching(name, 'hidden\ud800')))) as AplSessionError;
      expect(error.message).to.include(name).and.not.include('hidden');
    }
  });

  describe('options', () => {
    const accessor = (): string => 'x';
    for (const { what, options, named } of [
      { what: 'no options', options: undefined, named: 'options' },
      { what: 'null', options: null, named: 'options' },
      { what: 'no subject', options: { sessionId: accessor }, named: 'subject' },
      { what: 'an unknown option', options: { subject: accessor, sesionId: accessor }, named: 'sesionId' },
      { what: 'an unknown keying', options: { subject: accessor, keying: 'stricter' }, named: 'keying' },
      ...NAMES.map((name) => ({
        what: `a ${name} that is no function`,
        options: { subject: accessor, [name]: 'alice' },
        named: name,
      })),
    ]) {
      it(`${what} is config.invalid, and the message names it`, () => {
        const error = thrownBy(() => subjectSession(options as unknown as SubjectSessionOptions));
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
        expect((error as Error).message).to.include(`'${named}'`);
      });
    }

    it('the options are copied', () => {
      const options = { subject: accessor, sessionId: (): string => 'a' };
      const session = subjectSession(options);
      const before = session(req);
      options.sessionId = () => 'b';
      expect(session(req)).to.deep.equal(before);
    });
  });
});
