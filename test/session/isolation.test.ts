import { expect } from 'chai';
import type { Request } from 'express';
import fc from 'fast-check';
import request from 'supertest';
import { aplSessionMiddleware, denyIf, MemorySessionStore, subjectSession } from '../../lib/index.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { type Given, KEYING_NAMES, sessionFor } from '../support/resolve-session.js';

const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => value.isWellFormed());
/** Short, and of what keyings use between parts, so that a collision is found if there is one. */
const awkward = fc.string({ unit: fc.constantFrom(':', '-', 'a', '1', '2', ',', 'é', '\u0000'), minLength: 1 });
const part = fc.oneof(text, awkward);
const maybe = fc.option(part, { nil: undefined });
const anyGiven: fc.Arbitrary<Given> = fc.record({
  subject: part,
  sessionId: maybe,
  claim: maybe,
  caller: maybe,
  gateway: maybe,
});

/** What a session is made of: its tier and that tier's parts. */
function madeOf({ subject, sessionId, claim, caller, gateway }: Given): unknown[] {
  if (sessionId !== undefined) return ['agent', subject, sessionId];
  return claim === undefined ? ['identity', subject, caller, gateway] : ['token_claim', subject, claim];
}

/** Subjects as apps have them: names, addresses, ids; no colon. */
const colonless = text.filter((value) => !value.includes(':'));

describe('Isolation of subjects (G6)', () => {
  describe('strict keying', () => {
    it('one session needs the same tier, subject and parts', () => {
      fc.assert(
        fc.property(anyGiven, anyGiven, (one, other) => {
          const same = JSON.stringify(madeOf(one)) === JSON.stringify(madeOf(other));
          expect(sessionFor(one, 'strict')?.id === sessionFor(other, 'strict')?.id).to.equal(same);
        }),
        { numRuns: 2_000 },
      );
    });

    it('moving text from one part to the next makes another session', () => {
      fc.assert(
        fc.property(fc.array(awkward, { minLength: 3, maxLength: 3 }), (parts) => {
          const [a = '', b = '', c = ''] = parts;
          const ids = [
            sessionFor({ subject: `${a}${b}`, sessionId: c }, 'strict'),
            sessionFor({ subject: a, sessionId: `${b}${c}` }, 'strict'),
            sessionFor({ subject: `${a}:${b}`, sessionId: c }, 'strict'),
            sessionFor({ subject: a, sessionId: `${b}:${c}` }, 'strict'),
            sessionFor({ subject: a, caller: b, gateway: c }, 'strict'),
            sessionFor({ subject: a, caller: `${b}:${c}` }, 'strict'),
            sessionFor({ subject: a, gateway: `${b}:${c}` }, 'strict'),
          ].map((session) => session?.id);
          expect(new Set(ids).size).to.equal(ids.length);
        }),
        { numRuns: 2_000 },
      );
    });

    it('a missing caller is not the caller "-"', () => {
      const subject = 'alice';
      expect(sessionFor({ subject }, 'strict')).to.not.deep.equal(sessionFor({ subject, caller: '-' }, 'strict'));
    });

    it('ids are 64 hex characters, and never ids of cpex keying', () => {
      fc.assert(
        fc.property(anyGiven, (given) => {
          expect(sessionFor(given, 'strict')?.id)
            .to.match(/^[0-9a-f]{64}$/)
            .and.not.equal(sessionFor(given, 'cpex')?.id);
        }),
      );
    });

    it('the ids are those that docs/identity.md describes', () => {
      expect(sessionFor({ subject: 'zoë', sessionId: 'chat-1' }, 'strict')?.id).to.equal(
        'c6bd5e1a9df5b107535807cafa5d56fa8c0055f65ddb64030e1c8c996ee80024', // of "5:agent4:zoë6:chat-1"
      );
      expect(sessionFor({ subject: 'zoë', gateway: 'g' }, 'strict')?.id).to.equal(
        '7c9729c028c4f063a084249a82d461e9e83859b31186119263a7789f48e3bfa0', // of "8:identity4:zoë-1:g"
      );
    });
  });

  describe('cpex keying, which shares keys', () => {
    it('subjects without a colon never share a session', () => {
      fc.assert(
        fc.property(anyGiven, anyGiven, colonless, colonless, (one, other, alice, bob) => {
          fc.pre(alice !== bob);
          expect(sessionFor({ ...one, subject: alice })?.id).to.not.equal(sessionFor({ ...other, subject: bob })?.id);
        }),
        { numRuns: 2_000 },
      );
    });

    it('known weakness: a colon in a subject collides, without strict keying', () => {
      const pairs: (readonly [Given, Given])[] = [
        [
          { subject: 'alice:foo', sessionId: 'bar' },
          { subject: 'alice', sessionId: 'foo:bar' },
        ],
        [
          { subject: 'alice:foo', claim: 'bar' },
          { subject: 'alice', sessionId: 'foo:bar' },
        ],
        [{ subject: 'alice:foo' }, { subject: 'alice', sessionId: 'foo:-:-' }],
      ];
      for (const [one, other] of pairs) {
        expect(sessionFor(one)?.id).to.equal(sessionFor(other)?.id);
        expect(sessionFor(one, 'strict')?.id).to.not.equal(sessionFor(other, 'strict')?.id);
      }
    });

    it('known weakness: a chosen id names another session, without strict keying', () => {
      const identity = { subject: 'alice' };
      const chosen = { subject: 'alice', sessionId: '-:-' };
      expect(sessionFor(chosen)?.id).to.equal(sessionFor(identity)?.id);
      expect(sessionFor(chosen, 'strict')?.id).to.not.equal(sessionFor(identity, 'strict')?.id);
    });
  });

  for (const keying of KEYING_NAMES) {
    it(`${keying}: no client-chosen header names a session of another subject`, () => {
      const ofAlice: readonly Given[] = [
        { subject: 'alice', sessionId: 'chat-1' },
        { subject: 'alice', claim: 'claimed' },
        { subject: 'alice', caller: 'agent-007', gateway: 'gw' },
        { subject: 'alice' },
      ];
      const ids = new Set(ofAlice.map((given) => sessionFor(given, keying)?.id));
      expect(ids.size).to.equal(ofAlice.length);
      const tricks = [
        ...['chat-1', 'claimed', 'alice:chat-1', ':alice:chat-1', '../alice:chat-1', 'alice:-:-', '-:-'],
        ...['agent-007:gw', 'alice:agent-007:gw', '5:alice6:chat-1', ...ids],
      ] as readonly string[];
      const sendable = fc.oneof(fc.constantFrom(...tricks), part);
      fc.assert(
        fc.property(
          sendable,
          fc.constantFrom<Given>({}, { claim: 'claimed' }, { caller: 'agent-007' }),
          (sent, rest) => {
            const session = sessionFor({ subject: 'bob', ...rest, sessionId: sent }, keying);
            expect(ids.has(session?.id)).to.equal(false);
          },
        ),
        { examples: tricks.map((trick) => [trick, {}] as [string, Given]) },
      );
    });
  }

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const keying of KEYING_NAMES) {
      describe(`in an app of ${version} with ${keying} keying`, () => {
        const tiers: readonly (readonly [tier: string, headers: Readonly<Record<string, string>>])[] = [
          ['agent', { 'mcp-session-id': 'chat-1' }],
          ['token_claim', { 'x-claim': 'chat-1' }],
          ['identity', { 'x-caller': 'agent-007' }],
          ['identity', {}],
        ];
        const header = (name: string) => (req: Request) => req.get(name);
        const appWith = (store: MemorySessionStore) =>
          express()
            .use(
              aplSessionMiddleware({
                session: subjectSession({
                  subject: header('x-subject'),
                  sessionId: header('mcp-session-id'),
                  claim: header('x-claim'),
                  caller: header('x-caller'),
                  keying,
                }),
                store,
              }),
            )
            .get('/secret', (req, res) => {
              req.security.labels.add('secret');
              res.json({ source: req.security.source });
            })
            .get('/mail', denyIf('secret', { code: 'tainted', reason: 'touched secrets' }), (_req, res) => {
              res.send('sent');
            });

        for (const [tier, headers] of tiers) {
          it(`tier ${tier}: labels of alice hold for alice only (${Object.keys(headers)})`, async () => {
            const app = appWith(new MemorySessionStore());
            const ask = (path: string, subject: string, extra: Readonly<Record<string, string>>) =>
              request(app).get(path).set('x-subject', subject).set(extra);
            await ask('/secret', 'alice', headers).expect(200, { source: tier });
            await ask('/mail', 'alice', headers).expect(403);
            await ask('/mail', 'bob', headers).expect(200, 'sent');
            for (const trick of ['chat-1', 'chat-2', 'alice:chat-1', 'alice:-:-', '-:-', 'agent-007:-', '../alice']) {
              await ask('/mail', 'bob', { ...headers, 'mcp-session-id': trick }).expect(200, 'sent');
              // nor can bob put a label on what is hers
              await ask('/secret', 'bob', { 'mcp-session-id': trick }).expect(200);
            }
            await ask('/mail', 'alice', { ...headers, 'mcp-session-id': 'chat-2' }).expect(200, 'sent');
          });
        }

        it('not authenticated: no session, whatever is sent, and no store call', async () => {
          const store = new MemorySessionStore();
          await request(appWith(store))
            .get('/secret')
            .set({ 'mcp-session-id': 's', 'x-claim': 'c', 'x-caller': 'a' })
            .expect(200, {});
          expect(store.size).to.equal(0);
        });

        it('an accessor that throws or rejects: error handling, and no handler', async () => {
          for (const sessionId of [
            () => {
              throw new Error('session lookup failed');
            },
            () => Promise.reject(new Error('session lookup failed')),
          ]) {
            const app = express()
              .set('env', 'test')
              .use(aplSessionMiddleware({ session: subjectSession({ subject: () => 'alice', sessionId, keying }) }))
              .use((_req, res) => void res.send('served'));
            await request(app)
              .get('/')
              .expect(500, /session lookup failed/);
          }
        });
      });
    }
  }
});
