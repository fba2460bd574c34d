import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import compression from 'compression';
import type { RequestHandler } from 'express';
import onHeaders from 'on-headers';
import request from 'supertest';
import { apl } from '../../lib/apl.js';
import { deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { failingStore, LABEL, RememberingStore, rulesFixture } from './rules-fixture.js';

const SSN = '123-45-6789';
const PERSON = { name: 'Ada', ssn: SSN, address: { city: 'Paris', zip: '75001' } };
const REDACT = { result: { ssn: 'redact' } };
const json =
  (body: unknown): RequestHandler =>
  (_req, res) =>
    void res.json(body);
const jsonp: RequestHandler = (req, res) => {
  Object.defineProperty(req, 'query', { value: { callback: 'f' } });
  res.jsonp(PERSON);
};
const flushed: RequestHandler = (_req, res) => {
  res.type('json').flushHeaders();
  res.end(JSON.stringify(PERSON));
};
const parts: RequestHandler = (_req, res) => {
  res.type('json').writeHead(200, { 'X-Own': 'a' });
  res.write(`{"ssn":"${SSN}",`);
  res.flushHeaders();
  res.end('"name":"Ada"}');
};
const large: RequestHandler = (_req, res) => {
  res.type('json').write(`{"ssn":"${SSN.repeat(50_000)}`);
  res.write(SSN.repeat(50_000));
  res.end('"}');
};
/** What a framework sends that does not use the methods of Express. */
const inPieces =
  (body: unknown, head: Record<string, string> = {}): RequestHandler =>
  (_req, res) => {
    const bytes = Buffer.from(JSON.stringify(body));
    const first = Buffer.from(bytes.subarray(0, 5));
    res.writeHead(200, 'Fine', { 'Content-Type': 'application/json', 'Content-Length': `${bytes.length}`, ...head });
    res.write(first);
    first.fill(0);
    res.write(bytes.subarray(5).toString('hex'), 'hex');
    res.end();
  };

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`rules on the result, ${version}`, () => {
    const { alarms, app, listen } = rulesFixture(express);
    const ask = (rules: unknown, answer: RequestHandler, options = {}) =>
      request(app().get('/', apl(rules, options), answer)).get('/');

    it('chains change the JSON of res.json() before it leaves', async () => {
      const chains = { result: { ssn: 'str | mask(4)', 'address.zip': 'redact', name: 'omit' } };
      const { text, headers } = await ask(chains, json(PERSON));
      expect(text).to.equal('{"ssn":"*******6789","address":{"city":"Paris","zip":"[REDACTED]"}}');
      expect(Number(headers['content-length'])).to.equal(text.length);
    });

    it('chains change the JSON of res.send(), as object, text and bytes', async () => {
      const send: RequestHandler = (_req, res) => void res.send(PERSON);
      const sendText: RequestHandler = (_req, res) => void res.type('json').send(JSON.stringify(PERSON));
      const sendBytes: RequestHandler = (_req, res) => void res.type('json').send(Buffer.from(JSON.stringify(PERSON)));
      for (const answer of [send, sendText, sendBytes]) {
        const { body, text } = await ask(REDACT, answer);
        expect([body.ssn, text.includes(SSN)]).to.deep.equal(['[REDACTED]', false]);
      }
    });

    it('chains change the JSON of writeHead(), write() and end()', async () => {
      const answer = await ask(REDACT, inPieces({ ssn: SSN }, { 'X-Own': 'yes', ETag: 'raw' }));
      expect(answer.text).to.equal('{"ssn":"[REDACTED]"}');
      expect(answer.headers).to.include({ 'x-own': 'yes', 'content-length': '20', 'content-type': 'application/json' });
      expect(answer.headers).to.not.have.property('etag');
    });

    it('a changed result leaves without its trailers, which need chunks', async () => {
      const { status, text, headers } = await ask(REDACT, (_req, res) => {
        res.type('json').setHeader('Trailer', 'Own');
        res.write(JSON.stringify({ ssn: SSN }));
        res.addTrailers({ Own: 'a' });
        res.end();
      });
      expect([status, text]).to.deep.equal([200, '{"ssn":"[REDACTED]"}']);
      expect(headers).to.not.have.property('trailer');
    });

    it('calls that no chain changes are repeated as they were', async () => {
      const { text, headers } = await ask({ result: { name: 'str' } }, inPieces(PERSON, { ETag: 'raw' }));
      expect(text).to.equal(JSON.stringify(PERSON));
      expect(headers).to.include({ etag: 'raw', 'content-length': `${text.length}` });
    });

    it('callbacks of write() and end() are called', async () => {
      for (const ssn of [SSN, 5]) {
        const called = deferred<void>();
        const ended = deferred<void>();
        await ask({ result: { ssn: 'redact(result.ssn == "123-45-6789")' } }, (_req, res) => {
          res.type('json').write(JSON.stringify({ ssn }), () => called.resolve());
          res.end(() => ended.resolve());
        });
        await Promise.all([called.promise, ended.promise]);
      }
    });

    it('what a toJSON method writes is changed as well', async () => {
      const { body } = await ask(REDACT, json({ toJSON: () => ({ ssn: SSN, at: new Date(0) }) }));
      expect(body).to.deep.equal({ ssn: '[REDACTED]', at: '1970-01-01T00:00:00.000Z' });
    });

    it('the object of the handler stays as it is', async () => {
      const person = { ssn: SSN };
      await ask(REDACT, json(person));
      expect(person.ssn).to.equal(SSN);
    });

    it('a result that no chain changes leaves byte for byte', async () => {
      const answer: RequestHandler = (_req, res) => {
        res.app.set('json spaces', 2).set('json escape', true);
        res.json({ name: '<Ada>', n: 1e21 });
      };
      const plain = await request(app().get('/', answer)).get('/');
      const checked = await ask({ result: { name: 'str' } }, answer);
      expect(checked.text).to.equal(plain.text);
      expect(checked.headers['etag']).to.equal(plain.headers['etag']);
    });

    it('a changed result is written with the settings of the app', async () => {
      const { text } = await ask(REDACT, (_req, res) => {
        res.app.set('json spaces', 1).set('json escape', true);
        res.json({ ssn: SSN, name: '<' });
      });
      expect(text).to.equal('{\n "ssn": "[REDACTED]",\n "name": "\\u003c"\n}');
    });

    it('the ETag and a HEAD show nothing of the unchanged result', async () => {
      const rules = app()
        .get('/checked', apl(REDACT), json({ ssn: SSN }))
        .get(
          '/bytes',
          apl(REDACT),
          (_req, res) => void res.type('json').send(Buffer.from(JSON.stringify({ ssn: SSN }))),
        )
        .get('/redacted', json({ ssn: '[REDACTED]' }))
        .get('/open', json({ ssn: SSN }));
      const redacted = (await request(rules).get('/redacted')).headers;
      const raw = (await request(rules).get('/open')).headers['etag'] as string;
      for (const [method, path] of [
        ['get', '/checked'],
        ['head', '/checked'],
        ['head', '/bytes'],
      ] as const) {
        const { headers } = await request(rules)[method](path);
        expect(headers['etag']).to.equal(redacted['etag']);
        expect(headers['content-length']).to.equal(redacted['content-length']);
      }
      await request(rules).get('/checked').set('If-None-Match', raw).expect(200);
    });

    it('redact(predicate) reads the attributes of the request', async () => {
      const rules = { result: { ssn: 'redact(!perm.view_ssn)' } };
      const withPermission = { permissions: () => ['view_ssn'] };
      expect((await ask(rules, json(PERSON), withPermission)).body.ssn).to.equal(SSN);
      expect((await ask(rules, json(PERSON), { permissions: () => [] })).body.ssn).to.equal('[REDACTED]');
    });

    it('rules read result.*, and effects of rules change it', async () => {
      const rules = {
        post_invocation: [
          { when: 'result.address.city == "Paris"', do: ['result.ssn | redact', 'taint(eu)'] },
          'result.name == "Eve": deny("no", "eve")',
        ],
      };
      expect((await ask(rules, json(PERSON))).body.ssn).to.equal('[REDACTED]');
      const { text, body } = await ask(rules, json({ name: 'Eve', ssn: SSN }));
      expect([body.code, text.includes(SSN)]).to.deep.equal(['eve', false]);
    });

    it('a chain that checks the result denies, and tells nothing of the value', async () => {
      const { status, body, text } = await ask({ result: { ssn: 'enum(a)' } }, json(PERSON));
      expect([status, body.code, text.includes(SSN)]).to.deep.equal([403, 'global.apl.result.ssn', false]);
    });

    it('G1: a label of a chain is stored before the result leaves', async () => {
      const store = new RememberingStore();
      const chain = { result: { ssn: `taint(${LABEL})` } };
      await request(app(store).get('/', apl(chain), json(PERSON)))
        .get('/')
        .expect(200);
      expect(store.appended).to.deep.equal([LABEL]);
      const { body } = await request(app(failingStore()).get('/', apl(chain), json(PERSON))).get('/');
      expect(body.code).to.equal('session.persist_failed');
    });

    for (const [what, answer] of [
      ['a stream', (_req, res) => void Readable.from([SSN]).pipe(res)],
      ['a text', (_req, res) => void res.send(SSN)],
      ['a JSON text with another type', (_req, res) => void res.type('html').send(JSON.stringify(PERSON))],
      ['JSON after flushHeaders()', flushed],
      ['JSON after a first part of it has left', parts],
      [
        'compressed JSON',
        (_req, res) => void res.type('json').setHeader('content-encoding', 'x').end(JSON.stringify(PERSON)),
      ],
      [
        'JSON with a list of headers',
        (_req, res) => void res.writeHead(200, ['content-type', 'application/json']).end(SSN),
      ],
      ['JSON of more than 1 MB in pieces', large],
      ['JSONP', jsonp],
      ['JSON that is a list', json([PERSON])],
      ['JSON that is a text', json(SSN)],
      ['JSON that is not valid', (_req, res) => void res.type('json').send(`{"ssn":"${SSN}"`)],
      ['a redirect', (_req, res) => void res.redirect(`/${SSN}`)],
    ] as ReadonlyArray<readonly [string, RequestHandler]>) {
      it(`denies ${what}, with an alarm, because the rules cannot see the result`, async () => {
        const { status, text, body } = await ask(REDACT, answer).redirects(0);
        expect([status, body.code, text.includes(SSN)]).to.deep.equal([403, 'policy.result_unseen', false]);
        expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error']);
        expect(JSON.stringify(alarms)).to.not.include(SSN);
      });
    }

    it('denies a field in a list, in which no chain finds it', async () => {
      const { body } = await ask({ result: { 'people.ssn': 'redact' } }, json({ people: [PERSON] }));
      expect(body.code).to.equal('policy.result_unseen');
    });

    it('denies a field whose key has a dot, which no chain finds', async () => {
      for (const person of [{ 'user.ssn': SSN }, { a: { 'user.ssn': SSN } }]) {
        const { body } = await ask({ result: { 'user.ssn': 'redact', 'a.user.ssn': 'redact' } }, json(person));
        expect(body.code).to.equal('policy.result_unseen');
      }
    });

    it('denies the answer of the error handling, which the rules cannot see', async () => {
      const { body } = await ask(REDACT, () => {
        throw new Error(SSN);
      });
      expect(body.code).to.equal('policy.result_unseen');
    });

    for (const [what, answer] of [
      [
        'writeHead()',
        (_req, res) =>
          void res.writeHead(418, { Own: 'a', 'Content-Type': 'application/json' }).end(JSON.stringify(PERSON)),
      ],
      [
        'a listener of the header section',
        (_req, res) => {
          onHeaders(res, () => void res.status(418).setHeader('Own', 'a'));
          res.json(PERSON);
        },
      ],
    ] as ReadonlyArray<readonly [string, RequestHandler]>) {
      for (const rule of ['http.response_status == 418: deny', 'http.response_headers.own == "a": deny']) {
        it(`${what} is seen beside the result by ${rule}`, async () => {
          const { body } = await ask({ ...REDACT, post_invocation: [rule] }, answer);
          expect(body.code).to.equal('global.apl.post_invocation[0]');
          expect(alarms).to.deep.equal([]);
        });
      }
    }

    it('denies a result that would change only with a later header', async () => {
      const rules = { post_invocation: [{ when: 'http.response_status == 418', do: 'result.ssn | redact' }] };
      const { status, text } = await ask(rules, (_req, res) => {
        onHeaders(res, () => void res.status(418));
        res.json(PERSON);
      });
      expect([status, text.includes(SSN)]).to.deep.equal([403, false]);
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error']);
    });

    it('denies a part of a file, in which a field may have another path', async () => {
      const file = join(mkdtempSync(join(tmpdir(), 'apl-result-')), 'person.json');
      writeFileSync(file, JSON.stringify({ user: { ssn: SSN } }));
      const asked = ask({ result: { 'user.ssn': 'redact' } }, (_req, res) => void res.sendFile(file));
      const { status, text } = await asked.set('Range', 'bytes=8-28');
      expect([status, text.includes(SSN)]).to.deep.equal([403, false]);
      const whole = await ask({ result: { 'user.ssn': 'redact' } }, (_req, res) => void res.sendFile(file));
      expect(whole.body).to.deep.equal({ user: { ssn: '[REDACTED]' } });
      rmSync(file);
    });

    for (const [what, answer] of [
      ['204', (_req, res) => void res.status(204).end()],
      ['an empty 200', (_req, res) => void res.end()],
      ['HEAD of a stream', (_req, res) => void Readable.from(['x']).pipe(res)],
    ] as ReadonlyArray<readonly [string, RequestHandler]>) {
      it(`${what} has no result, so the chains have nothing to do`, async () => {
        const store = new RememberingStore();
        const rules = { ...REDACT, post_invocation: [`taint(${LABEL})`] };
        const { port } = await listen(app(store).all('/', apl(rules), answer));
        const { status } = await fetch(`http://127.0.0.1:${port}/`, {
          method: what.startsWith('HEAD') ? 'HEAD' : 'GET',
        });
        expect(status).to.be.oneOf([200, 204]);
        expect(store.appended).to.deep.equal([LABEL]);
      });
    }

    it("G3: the app's own denial stays, with its result changed if it is visible", async () => {
      const forbidden =
        (send: RequestHandler): RequestHandler =>
        (req, res, next) => {
          res.status(403);
          send(req, res, next);
        };
      const unseen = await ask(
        REDACT,
        forbidden((_req, res) => void res.send('mine')),
      );
      expect([unseen.status, unseen.text]).to.deep.equal([403, 'mine']);
      const seen = await ask(REDACT, forbidden(json(PERSON)));
      expect([seen.status, seen.body.ssn]).to.deep.equal([403, '[REDACTED]']);
      expect(alarms).to.deep.equal([]);
    });

    it('a plugin of a chain may answer later if it changes nothing', async () => {
      const plugins = { check: async () => ({ allow: true as const }) };
      const { body } = await ask({ result: { ssn: 'plugin(check)' } }, json(PERSON), { plugins });
      expect(body).to.deep.equal(PERSON);
    });

    it('a plugin that changes the result too late denies', async () => {
      const plugins = { hide: async () => ({ allow: true as const, value: 'hidden' }) };
      const { body, text } = await ask({ result: { ssn: 'plugin(hide)' } }, json(PERSON), { plugins });
      expect([body.code, text.includes(SSN)]).to.deep.equal(['policy.error', false]);
    });

    it('a plugin that changes the result at once is used', async () => {
      const plugins = { hide: () => ({ allow: true as const, value: 'hidden' }) };
      const { body } = await ask({ result: { ssn: 'plugin(hide)' } }, json(PERSON), { plugins });
      expect(body.ssn).to.equal('hidden');
    });

    it('a failing plugin denies, with an alarm without the value', async () => {
      const plugins = {
        hide: ({ field }: { field?: { value: unknown } | undefined }) => {
          throw new Error(`cannot hide ${field?.value}`);
        },
      };
      const { body, text } = await ask({ result: { ssn: 'plugin(hide)' } }, json(PERSON), { plugins });
      expect([body.code, text.includes(SSN)]).to.deep.equal(['global.apl.result.ssn', false]);
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error']);
      expect(JSON.stringify(alarms)).to.not.include(SSN);
    });

    it("enforce: 'observe' changes no result, and an unseen one leaves with an alarm", async () => {
      expect((await ask(REDACT, json(PERSON), { enforce: 'observe' })).body).to.deep.equal(PERSON);
      const { status } = await ask(REDACT, (_req, res) => void res.send('text'), { enforce: 'observe' });
      expect(status).to.equal(200);
      expect(alarms.map(({ alarm }) => alarm)).to.deep.equal(['policy_error', 'policy_would_deny']);
    });

    it('compression of the changed result works', async () => {
      const rules = app()
        .use(compression({ threshold: 0 }))
        .get('/', apl(REDACT), json(PERSON));
      const { body, headers } = await request(rules).get('/');
      expect([body.ssn, headers['content-encoding']]).to.deep.equal(['[REDACTED]', 'gzip']);
    });
  });
}
