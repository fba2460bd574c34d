import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import type { RequestHandler } from 'express';
import request from 'supertest';
import { apl } from '../../lib/apl.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { HeldStore } from '../support/held-store.js';
import { failingStore, LABEL, RememberingStore, rulesFixture } from './rules-fixture.js';

const post = (...rules: readonly unknown[]) => ({ post_invocation: rules });
const DENY_LABEL = `security.labels contains "${LABEL}": deny('r', 'tainted')`;
const taints: RequestHandler = (req, _res, next) => {
  req.security.labels.add(LABEL);
  next();
};
/** Ways to answer with the text "salary". */
const ANSWERS: ReadonlyArray<readonly [how: string, handler: RequestHandler]> = [
  ['res.send()', (_req, res) => void res.send('salary')],
  ['res.json()', (_req, res) => void res.json({ text: 'salary' })],
  ['writeHead() and end()', (_req, res) => void res.writeHead(200, { 'X-Own': 'yes' }).end('salary')],
  [
    'write() and end()',
    (_req, res) => {
      res.write('sal');
      res.end('ary');
    },
  ],
  [
    'flushHeaders() first',
    (_req, res) => {
      res.flushHeaders();
      res.end('salary');
    },
  ],
  ['a piped stream', (_req, res) => void Readable.from(['sal', 'ary']).pipe(res)],
  [
    'an interim response first',
    (_req, res) => {
      res.writeProcessing();
      res.end('salary');
    },
  ],
  ['a later tick', (_req, res) => void setImmediate(() => res.end('salary'))],
];

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`rules for the response, ${version}`, () => {
    const { alarms, app, handler, listen } = rulesFixture(express);

    for (const [how, answer] of ANSWERS) {
      describe(`an answer by ${how}`, () => {
        it('leaves if no rule denies', async () => {
          const { status, text } = await request(app().get('/', apl(post(DENY_LABEL)), answer)).get('/');
          expect([status, text.includes('salary')]).to.deep.equal([200, true]);
        });

        it('is replaced by the denial of a rule on labels that the handler has added', async () => {
          const rules = app().get('/', apl(post(DENY_LABEL)), taints, answer);
          const { status, text, body } = await request(rules).get('/');
          expect([status, body.code, text.includes('salary')]).to.deep.equal([403, 'tainted', false]);
        });

        it('G1: leaves only when the label of a rule is stored', async () => {
          const store = new HeldStore();
          const { port } = await listen(app(store).get('/', apl(post(`taint(${LABEL})`)), answer));
          let hasAnswered = false;
          const asked = fetch(`http://127.0.0.1:${port}/`).then((got) => {
            hasAnswered = true;
            return got.text();
          });
          await store.called();
          await new Promise((resolve) => setImmediate(resolve));
          expect(hasAnswered).to.equal(false);
          store.release();
          expect(await asked).to.include('salary');
        });

        it('G2: is refused if the label of a rule cannot be stored', async () => {
          const rules = app(failingStore()).get('/', apl(post(`taint(${LABEL})`)), answer);
          const { body, text } = await request(rules).get('/');
          expect([body.code, text.includes('salary')]).to.deep.equal(['session.persist_failed', false]);
        });

        it('waits for an async rule, and is replaced if it denies', async () => {
          const plugins = { later: async () => ({ code: 'late', reason: 'r' }) };
          const rules = app().get('/', apl(post('plugin(later)'), { plugins }), answer);
          const { body, text } = await request(rules).get('/');
          expect([body.code, text.includes('salary')]).to.deep.equal(['late', false]);
        });
      });
    }

    it('rules read the status and the headers, also from writeHead()', async () => {
      const rules = post(
        "http.response_status >= 500: deny('r', 'status')",
        "http.response_headers.etag == 'a': deny('r', 'etag')",
      );
      const codeOf = async (answer: RequestHandler) =>
        (await request(app().get('/', apl(rules), answer)).get('/')).body.code;
      expect(await codeOf((_req, res) => void res.status(502).send('x'))).to.equal('status');
      expect(await codeOf((_req, res) => void res.writeHead(200, { ETag: 'a' }).end('x'))).to.equal('etag');
      expect(await codeOf((_req, res) => void res.setHeader('etag', 'a').end('x'))).to.equal('etag');
      expect(await codeOf((_req, res) => void res.json({ code: 'fine' }))).to.equal('fine');
    });

    for (const [what, method, answer] of [
      ['HEAD', 'HEAD', (_req, res) => void res.send('salary')],
      ['204', 'GET', (_req, res) => void res.status(204).end()],
      ['304', 'GET', (_req, res) => void res.status(304).end()],
    ] as ReadonlyArray<readonly [string, string, RequestHandler]>) {
      it(`G1: a ${what} without a body waits for the labels of rules`, async () => {
        const store = new RememberingStore();
        const { port } = await listen(app(store).all('/', apl(post(`taint(${LABEL})`)), answer));
        await fetch(`http://127.0.0.1:${port}/`, { method });
        expect(store.appended).to.deep.equal([LABEL]);
        const failing = await listen(app(failingStore()).all('/', apl(post(`taint(${LABEL})`)), answer));
        expect((await fetch(`http://127.0.0.1:${failing.port}/`, { method })).status).to.equal(403);
      });

      it(`a ${what} without a body can be denied`, async () => {
        const { port } = await listen(app().all('/', apl(post('deny')), answer));
        expect((await fetch(`http://127.0.0.1:${port}/`, { method })).status).to.equal(403);
      });
    }

    it('the rules also run on the answer of the error handling', async () => {
      const store = new RememberingStore();
      const rules = app(store).get('/', apl(post(`taint(${LABEL})`)), () => {
        throw new Error('failed');
      });
      await request(rules).get('/').expect(500);
      expect(store.appended).to.deep.equal([LABEL]);
    });

    it("G3: the app's own denial stays, and the labels of rules are stored", async () => {
      const store = new RememberingStore();
      const rules = app(store).get('/', apl(post(`taint(${LABEL})`, 'deny')), (_req, res) => {
        res.status(403).send('mine');
      });
      await request(rules).get('/').expect(403, 'mine');
      expect(store.appended).to.deep.equal([LABEL]);
    });

    it('rules for the response do not turn an earlier denial into an allow', async () => {
      const rules = app().get('/', apl({ pre_invocation: ['deny'], post_invocation: ['allow'] }), handler);
      await request(rules).get('/').expect(403);
      const later = app().get('/', apl(post('allow')), (req, _res) => {
        req.security.deny({ code: 'later', reason: 'r' });
      });
      await request(later).get('/').expect(403, /later/);
    });

    it('an error of a rule denies with policy.error, with an alarm', async () => {
      const attributes = () => ({ 'role.a': { not: 'an attribute' } as never });
      const rules = app().get('/', apl(post('role.a: deny'), { attributes }), handler);
      expect((await request(rules).get('/')).body.code).to.equal('policy.error');
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error']);
    });

    it('a response that began before the guard is cut', async () => {
      const rules = app().get(
        '/',
        (_req, res, next) => {
          res.write('begun');
          setImmediate(next);
        },
        apl(post('allow')),
        (_req, res) => void res.end('salary'),
      );
      const { port } = await listen(rules);
      let received = '';
      let isCut = false;
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/`);
        for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) received += Buffer.from(chunk);
      } catch {
        isCut = true;
      }
      expect([received.includes('salary'), isCut]).to.deep.equal([false, true]);
      expect(alarms.map(({ alarm }) => alarm)).to.include('policy_error');
    });

    it('G7: the label of a rule is stored if the client leaves before the answer', async () => {
      const store = new RememberingStore();
      const arrived = new EventEmitter();
      const rules = app(store).get('/', apl(post(`taint(${LABEL})`)), () => void arrived.emit('request'));
      const { port } = await listen(rules);
      const leaving = new AbortController();
      const asked = fetch(`http://127.0.0.1:${port}/`, { signal: leaving.signal }).catch(() => {});
      await once(arrived, 'request');
      leaving.abort();
      await asked;
      await eventually(() => store.appended.length > 0);
      expect(store.appended).to.deep.equal([LABEL]);
    });

    it('two guards with rules for the response both run', async () => {
      const store = new RememberingStore();
      const rules = app(store).get('/', apl(post('taint(a)')), apl(post('taint(b)', "deny('r', 'second')")), handler);
      await request(rules)
        .get('/')
        .expect(403, /second/);
      expect(store.appended).to.have.members(['a', 'b']);
    });

    it('rules for the response see the labels of this moment', async () => {
      const rules = app().get('/', apl(post('!exists(security.labels): deny')), taints, handler);
      await request(rules).get('/').expect(200);
    });

    it("enforce: 'observe' lets the response leave, with an alarm", async () => {
      const rules = app().get('/', apl(post("deny('r', 'c')"), { enforce: 'observe' }), handler);
      await request(rules).get('/').expect(200, { handled: true });
      expect(alarms.map((alarm) => [alarm.alarm, 'code' in alarm && alarm.code])).to.deep.equal([
        ['policy_would_deny', 'c'],
      ]);
    });

    it('an interim response leaves first, and the rules still run on the response', async () => {
      const hasLeft = deferred<void>();
      const rules = app().get('/', apl(post("deny('r', 'c')")), async (_req, res) => {
        res.writeProcessing();
        await hasLeft.promise;
        res.end('salary');
      });
      const { port } = await listen(rules);
      const asked = get({ port, host: '127.0.0.1' });
      asked.on('information', ({ statusCode }) => statusCode === 102 && hasLeft.resolve());
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      expect(answer.statusCode).to.equal(403);
    });

    it('rules read the arguments as they were before the handler', async () => {
      const rules = app().post('/', apl(post('args.to == "eve": deny("r", "eve")')), (req, res) => {
        req.body.to = 'bob';
        res.json({});
      });
      await request(rules).post('/').send({ to: 'eve' }).expect(403, /"eve"/);
      await request(rules).post('/').send({ to: 'bob' }).expect(200);
    });

    it('a handler may deny while a rule waits', async () => {
      const asked = deferred<void>();
      const answer = deferred<{ allow: true }>();
      const plugins = {
        later: () => {
          asked.resolve();
          return answer.promise;
        },
      };
      const rules = app().get('/', apl(post('plugin(later)'), { plugins }), async (req, res) => {
        res.send('salary');
        await asked.promise;
        req.security.deny({ code: 'handler', reason: 'r' });
        answer.resolve({ allow: true });
      });
      const { body, text } = await request(rules).get('/');
      expect([body.code, text.includes('salary')]).to.deep.equal(['handler', false]);
    });

    it('a label of another request of the session does not end the review early', async () => {
      const asked = deferred<void>();
      const answer = deferred<{ code: string; reason: string }>();
      const plugins = {
        later: () => {
          asked.resolve();
          return answer.promise;
        },
      };
      const rules = app()
        .get('/', apl(post('plugin(later)'), { plugins }), handler)
        .get('/taint', taints, handler);
      const { port } = await listen(rules);
      const reviewed = fetch(`http://127.0.0.1:${port}/`);
      await asked.promise;
      expect((await fetch(`http://127.0.0.1:${port}/taint`)).status).to.equal(200);
      answer.resolve({ code: 'late', reason: 'r' });
      expect(await (await reviewed).text()).to.include('"late"');
    });

    it('a request without a session is reviewed as well', async () => {
      const rules = app(undefined, { session: () => undefined }).get('/', apl(post("deny('r', 'c')")), handler);
      await request(rules).get('/').expect(403, /"c"/);
    });
  });
}
