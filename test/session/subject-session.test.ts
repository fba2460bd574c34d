import { expect } from 'chai';
import type { Request } from 'express';
import { AplSessionError } from '../../lib/contract/errors.js';
import { type SessionAccessor, type SubjectSessionOptions, subjectSession } from '../../lib/session/subject-session.js';
import { rejectionOf, thrownBy } from '../support/eventually.js';
import { runModule } from '../support/node-child.js';
import { PARITY_VECTORS } from '../support/parity-vectors.js';

const req = {} as Request;

/** Resolves like the middleware does: an exception and a rejection are the same to it. */
async function resolve(subject: unknown, sessionId: unknown): Promise<unknown> {
  return subjectSession({
    subject: (() => subject) as SessionAccessor,
    sessionId: (() => sessionId) as SessionAccessor,
  })(req);
}

describe('subjectSession', () => {
  for (const { name, agent, id } of PARITY_VECTORS) {
    if (!agent) continue;
    it(`resolves the id that CPEX resolves: ${name}`, async () => {
      expect(await resolve(agent.subject, agent.sessionId)).to.deep.equal({ id, source: 'agent' });
    });
  }

  it('the accessors are given the request', async () => {
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
    it(`G6: ${shown} as subject means no session`, async () => {
      expect(await resolve(nothing, 'sess')).to.equal(undefined);
    });

    it(`G6: ${shown} as session id means no session`, async () => {
      expect(await resolve('alice', nothing)).to.equal(undefined);
    });

    it(`G6: a promise of ${shown} means no session`, async () => {
      expect(await resolve(Promise.resolve(nothing), 'sess')).to.equal(undefined);
      expect(await resolve('alice', Promise.resolve(nothing))).to.equal(undefined);
    });
  }

  it('G6: one session id under two subjects gives two sessions', async () => {
    expect(await resolve('alice', 'shared-sid')).to.not.deep.equal(await resolve('bob', 'shared-sid'));
  });

  it('the same subject and session id give the same session each time', async () => {
    expect(await resolve('alice', 'sess')).to.deep.equal(await resolve('alice', 'sess'));
  });

  it('known weakness, for the sake of shared keys: a colon in the subject collides', async () => {
    expect(await resolve('alice:foo', 'bar')).to.deep.equal(await resolve('alice', 'foo:bar'));
  });

  it('G6: the id never shows what the client chose', async () => {
    expect(JSON.stringify(await resolve('alice', 'sess-upstream'))).to.not.match(/alice|upstream/);
  });

  for (const { what, subject, sessionId } of [
    { what: 'subject', subject: Promise.resolve('alice'), sessionId: 'sess-upstream' },
    { what: 'session id', subject: 'alice', sessionId: Promise.resolve('sess-upstream') },
    { what: 'subject and session id', subject: Promise.resolve('alice'), sessionId: Promise.resolve('sess-upstream') },
  ]) {
    it(`a promise of the ${what} is waited for`, async () => {
      expect(await resolve(subject, sessionId)).to.deep.equal({ id: '68755f41a98324d6', source: 'agent' });
    });
  }

  describe('what an accessor throws goes to the caller', () => {
    const failure = new Error('token expired');
    const throwing: SessionAccessor = () => {
      throw failure;
    };
    const rejecting: SessionAccessor = async () => {
      throw failure;
    };
    for (const { what, options } of [
      { what: 'subject throws', options: { subject: throwing, sessionId: () => 's' } },
      { what: 'sessionId throws', options: { subject: () => 'alice', sessionId: throwing } },
      { what: 'subject rejects', options: { subject: rejecting, sessionId: () => 's' } },
      { what: 'sessionId rejects', options: { subject: () => 'alice', sessionId: rejecting } },
    ]) {
      it(what, async () => {
        const call = async (): Promise<unknown> => subjectSession(options)(req);
        expect(await rejectionOf(call())).to.equal(failure);
      });
    }

    it('both fail, one of them late: nothing is left unhandled', async function () {
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
    { what: 'a string with a lone surrogate', value: 'a\ud800' },
  ]) {
    it(`${what} from an accessor is session.invalid, for the subject and for the session id, now and promised`, async () => {
      for (const given of [value, Promise.resolve(value)]) {
        expect(await rejectionOf(resolve(given, 'sess'))).to.have.property('code', 'session.invalid');
        expect(await rejectionOf(resolve('alice', given))).to.have.property('code', 'session.invalid');
      }
    });
  }

  it('session.invalid does not repeat the value', async () => {
    const error = (await rejectionOf(resolve('alice', 'hidden\ud800'))) as AplSessionError;
    expect(error.message).to.not.include('hidden');
  });

  describe('options', () => {
    const accessor = (): string => 'x';
    for (const { what, options } of [
      { what: 'no options', options: undefined },
      { what: 'null', options: null },
      { what: 'no subject', options: { sessionId: accessor } },
      { what: 'no sessionId', options: { subject: accessor } },
      { what: 'a subject that is no function', options: { subject: 'alice', sessionId: accessor } },
      { what: 'an unknown option', options: { subject: accessor, sessionId: accessor, sesionId: accessor } },
    ]) {
      it(`${what} is config.invalid, and the message names both accessors`, () => {
        const error = thrownBy(() => subjectSession(options as unknown as SubjectSessionOptions));
        expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
        expect((error as Error).message)
          .to.include('subject')
          .and.include('sessionId');
      });
    }
  });
});
