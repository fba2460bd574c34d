import { expect } from 'chai';
import express, { type Request } from 'express';
import request from 'supertest';
import {
  aplSessionMiddleware,
  MemorySessionStore,
  type SessionKeying,
  type SessionResolver,
  type SessionStore,
  subjectSession,
} from '../../lib/index.js';
import { enrollSession, seedSession, sessionIdFor, sessionLabels, type TestSession } from '../../lib/testing.js';
import { rejectionOf, thrownBy } from '../support/eventually.js';

const header = (name: string) => (req: Request) => req.get(name);

/** An app that answers with the labels, and adds the label `seen`. */
function appWith(session: SessionResolver, store: MemorySessionStore) {
  const app = express().set('env', 'test');
  app.use(aplSessionMiddleware({ session, store, logger: { warn() {}, error() {} } }));
  app.get('/', (req, res) => {
    const { labels, sessionId, source } = req.security;
    res.json({ labels: [...labels], sessionId, source });
    labels.add('seen');
  });
  return app;
}

function bySubject(keying: SessionKeying): SessionResolver {
  return subjectSession({
    subject: header('x-subject'),
    sessionId: header('x-session'),
    claim: (req) => (req.get('x-claim') ? JSON.parse(String(req.get('x-claim'))) : undefined),
    caller: header('x-caller'),
    gateway: header('x-gateway'),
    keying,
  });
}

describe('seedSession(), sessionLabels(), sessionIdFor()', () => {
  let store: MemorySessionStore;
  beforeEach(() => {
    store = new MemorySessionStore();
  });

  for (const keying of ['cpex', 'strict'] as const) {
    const requests: ReadonlyArray<{ source: string; headers: Record<string, string>; session: TestSession }> = [
      {
        source: 'agent',
        headers: { 'x-subject': 'alice', 'x-session': 's1', 'x-claim': '"c1"' },
        session: { subject: 'alice', sessionId: 's1', claim: 'c1' },
      },
      {
        source: 'token_claim',
        headers: { 'x-subject': 'alice', 'x-claim': '{"b":1,"a":[2]}' },
        session: { subject: 'alice', claim: { a: [2], b: 1 } },
      },
      {
        source: 'identity',
        headers: { 'x-subject': 'alice', 'x-caller': 'cli', 'x-gateway': 'g' },
        session: { subject: 'alice', caller: 'cli', gateway: 'g' },
      },
      { source: 'identity', headers: { 'x-subject': 'alice' }, session: { subject: 'alice', sessionId: '' } },
    ];
    for (const { source, headers, session } of requests) {
      it(`the next request of the tier ${source} meets the labels, keying ${keying}`, async () => {
        const given = { ...(session as object), keying } as TestSession;
        await seedSession(store, given, ['secret']);
        const { body } = await request(appWith(bySubject(keying), store))
          .get('/')
          .set(headers)
          .expect(200);
        expect(body).to.deep.equal({ labels: ['secret'], sessionId: sessionIdFor(given), source });
        expect(await sessionLabels(store, given)).to.deep.equal(['secret', 'seen']);
      });
    }
  }

  it('a resolver of the app that returns an id, as text or as a member', async () => {
    const app = appWith((req) => `tenant:${req.get('x-subject')}`, store);
    await seedSession(store, 'tenant:alice', ['b']);
    await seedSession(store, { id: 'tenant:alice' }, ['a']);
    const { body } = await request(app).get('/').set('x-subject', 'alice').expect(200);
    expect(body.labels).to.have.members(['a', 'b']);
    expect(await sessionLabels(store, 'tenant:alice')).to.deep.equal(['a', 'b', 'seen']);
  });

  it('the answer of subjectSession can be passed on', async () => {
    const resolve = subjectSession({ subject: () => 'alice' });
    const session = await resolve({} as Request);
    expect(session && sessionIdFor(session)).to.equal(sessionIdFor({ subject: 'alice' }));
  });

  it('the default keying is the same as in subjectSession', () => {
    expect(sessionIdFor({ subject: 'alice', sessionId: 's1' })).to.match(/^[0-9a-f]{16}$/);
    expect(sessionIdFor({ subject: 'alice', sessionId: 's1', keying: 'strict' })).to.match(/^[0-9a-f]{64}$/);
  });

  it('another subject or another id has other labels, and an unknown session has no labels', async () => {
    await seedSession(store, { subject: 'alice', sessionId: 's1' }, ['secret']);
    expect(await sessionLabels(store, { subject: 'bob', sessionId: 's1' })).to.deep.equal([]);
    expect(await sessionLabels(store, { subject: 'alice', sessionId: 's2' })).to.deep.equal([]);
    expect(await sessionLabels(store, { subject: 'alice' })).to.deep.equal([]);
  });

  it('refuses a session without an id, unknown keys, and values that are not texts', () => {
    const wrong: ReadonlyArray<readonly [session: unknown, code: string]> = [
      [{ subject: 'alice', sesionId: 's1' }, 'config.invalid'],
      [{ subject: 'alice', id: 'x' }, 'config.invalid'],
      [{ sessionId: 's1' }, 'config.invalid'],
      [{ subject: '' }, 'config.invalid'],
      [{ subject: 7 }, 'config.invalid'],
      [{ subject: 'alice', keying: 'loose' }, 'config.invalid'],
      [{ subject: 'a\ud800' }, 'session.invalid'],
      ['', 'session.required'],
      [{ id: '' }, 'session.required'],
      [undefined, 'session.required'],
      [{ id: 7 }, 'session.invalid'],
    ];
    for (const [session, code] of wrong) {
      expect(
        thrownBy(() => sessionIdFor(session as TestSession)),
        JSON.stringify(session),
      ).to.have.property('code', code);
    }
  });

  it('refuses what is not a store, and names the store of the app', async () => {
    for (const store of [{ kind: 'memory' }, aplSessionMiddleware({ session: () => 's' }), undefined]) {
      for (const call of [seedSession, sessionLabels, enrollSession]) {
        const error = await rejectionOf(call(store as unknown as SessionStore, { subject: 'alice' }, []));
        expect(error).to.have.property('code', 'config.invalid');
        expect(error).to.have.property('message').that.includes(call.name).and.includes('aplSession.store');
      }
    }
  });

  it('refuses labels that the middleware would refuse', async () => {
    for (const labels of [[''], ['a\n'], 'secret', [7]]) {
      const seeding = seedSession(store, 'x', labels as string[]);
      expect(await rejectionOf(seeding)).to.have.property('code', 'label.invalid');
    }
    expect(store.size).to.equal(0);
  });
});
