import { expect } from 'chai';
import { INSTANCE } from '../support/denial-instance.js';
import { only, read } from '../support/documents.js';
import { runModule } from '../support/node-child.js';

const SESSION = 'session-of-alice-0123456789';

/** An app that plays each way through the middleware. Its answers go to standard output. */
const APP = `
  import express from 'express';
  import { aplSessionMiddleware, denyIf, MemorySessionStore, subjectSession, taint } from './lib/index.ts';
  const store = new MemorySessionStore({ ttlSeconds: 60 });
  const broken = {
    loadLabels: async (id) => { throw new Error('cannot load ' + id + ' from redis://user:hunter2@valkey'); },
    appendLabels: async () => {},
  };
  const readOnly = () => ({
    loadLabels: async () => ['stored-label'],
    appendLabels: async (id, labels) => { throw new Error('cannot append ' + labels + ' to ' + id); },
  });
  const quiet = { logger: { warn() {}, error() {} } };
  const session = (req) => (req.get('x-user') ? { id: '${SESSION}', source: 'header' } : { reason: 'no x-user' });
  const violation = { code: 'session_tainted', reason: 'r' };
  const answer = (req, res) => res.send('answered');
  const app = express().set('env', 'test');
  app.use('/broken', aplSessionMiddleware({ session, store: broken, ...quiet }), answer);
  app.use('/read-only', aplSessionMiddleware({ session, store: readOnly(), ...quiet }), (req, res) => {
    req.security.labels.add('secret-label');
    res.send('answered');
  });
  app.use('/cut', aplSessionMiddleware({ session, store: readOnly(), ...quiet }), (req, res) => {
    res.write('a part', () => {
      req.security.labels.add('secret-label');
      res.end('the rest');
    });
  });
  app.use('/faulty', aplSessionMiddleware({ session: () => { throw new TypeError('alice'); }, ...quiet }), answer);
  app.use(aplSessionMiddleware({ session, store, ...quiet }));
  app.use(aplSessionMiddleware({ session, store, sessionless: 'deny', ...quiet }));
  app.get('/users/:id', taint('secret-label', 'second-label'), answer);
  app.get('/notes', (req, res) => {
    req.security.labels.add('third-label');
    res.send('answered');
  });
  app.get('/public', answer);
  app.post('/mail', denyIf('secret-label', violation), answer);
  subjectSession({ subject: () => 'alice', sessionId: () => 's', caller: () => 'c', keying: 'strict' });
  app.use((error, req, res, next) => res.status(500).send(error.name));
  const server = app.listen(0, '127.0.0.1', async () => {
    const ask = async (method, path, headers = { 'x-user': 'alice' }) => {
      const response = await fetch('http://127.0.0.1:' + server.address().port + path, { method, headers });
      const text = await response.text().catch(() => 'cut');
      console.log(method, path, response.status, text.slice(0, 8));
    };
    await ask('GET', '/users/alice');
    await ask('GET', '/notes');
    await ask('POST', '/mail');
    await ask('GET', '/public', {});
    await ask('GET', '/broken');
    await ask('GET', '/read-only');
    await ask('GET', '/read-only');
    await ask('GET', '/cut');
    await ask('GET', '/faulty');
    server.closeAllConnections();
    server.close();
    await store.close();
  });
`;

const ANSWERS = `GET /users/alice 200 answered
GET /notes 200 answered
POST /mail 403 {"type":
GET /public 403 {"type":
GET /broken 403 {"type":
GET /read-only 403 {"type":
GET /read-only 403 {"type":
GET /cut 200 cut
GET /faulty 500 TypeErro
`;

/** Runs the app. Returns its debug lines without the times and with names for the mounts in the order of their lines. */
async function linesWith(debug: string): Promise<string[]> {
  const env = { DEBUG: debug, DEBUG_COLORS: 'no', DEBUG_HIDE_DATE: 'yes', NODE_NO_WARNINGS: '1' };
  const { code, stdout, stderr } = await runModule(APP, env);
  expect({ code, stdout }).to.deep.equal({ code: 0, stdout: ANSWERS });
  const mounts: string[] = [];
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      line
        .replaceAll(INSTANCE, 'INSTANCE')
        .replace(/\d+\.\d ms/g, 'N ms')
        .replace(/(?<=^express-apl-session(?::labels)? )[0-9a-f]{4}(?=[# ])/, (name) => {
          if (!mounts.includes(name)) mounts.push(name);
          return `mount-${mounts.indexOf(name) + 1}`;
        }),
    );
}

const OPTIONS = 'a store call fails after 1000 ms; at most 1000 labels per session and 100000 sessions';
const LINES = `
express-apl-session mount-1 mounted: a store of the app with no TTL; ${OPTIONS}; sessionless 'allow'
express-apl-session mount-2 mounted: a store of the app with no TTL; ${OPTIONS}; sessionless 'allow'
express-apl-session mount-3 mounted: a store of the app with no TTL; ${OPTIONS}; sessionless 'allow'
express-apl-session mount-4 mounted: MemorySessionStore with no TTL; ${OPTIONS}; sessionless 'allow'
express-apl-session mount-5 mounted: MemorySessionStore with a TTL of 60 s; ${OPTIONS}; sessionless 'allow'
express-apl-session mount-6 mounted: MemorySessionStore with a TTL of 60 s; ${OPTIONS}; sessionless 'deny'
express-apl-session subjectSession: keying 'strict'; tiers agent (sessionId), identity (subject, caller)
express-apl-session mount-5#1 GET: session 132465, found by header
express-apl-session mount-5#1 loaded 0 labels after N ms
express-apl-session mount-6#1 GET: an earlier mount of the middleware serves the request
express-apl-session mount-5#1 added 1 label
express-apl-session mount-5#1 added 1 label
express-apl-session mount-5#1 appended 2 labels
express-apl-session mount-5#1 GET /users/:id: answered 200 after N ms, not held
express-apl-session mount-5#2 GET: session 132465, found by header
express-apl-session mount-5#2 loaded 2 labels after N ms
express-apl-session mount-6#2 GET: an earlier mount of the middleware serves the request
express-apl-session mount-5#2 added 1 label
express-apl-session mount-5#2 appended 1 label
express-apl-session mount-5#2 held for N ms, then released
express-apl-session mount-5#2 GET /notes: answered 200 after N ms
express-apl-session mount-5#3 POST: session 132465, found by header
express-apl-session mount-5#3 loaded 3 labels after N ms
express-apl-session mount-6#3 POST: an earlier mount of the middleware serves the request
express-apl-session mount-5#3 denied: session_tainted
express-apl-session mount-5#3 held for N ms, then refused: session_tainted, INSTANCE
express-apl-session mount-5#3 POST /mail: answered 403 after N ms
express-apl-session mount-5#4 GET: no session: no x-user
express-apl-session mount-6#4 GET: no session: no x-user
express-apl-session mount-5#4 denied: session.required
express-apl-session mount-5#4 held for N ms, then refused: session.required, INSTANCE
express-apl-session mount-5#4 GET *: answered 403 after N ms
express-apl-session mount-6#4 GET *: answered 403 after N ms
express-apl-session mount-1#1 GET: session 132465, found by header
express-apl-session mount-1#1 the load failed after N ms: cannot load *** from redis://***
express-apl-session mount-1#1 denied: session.load_failed
express-apl-session mount-1#1 held for N ms, then refused: session.load_failed, INSTANCE
express-apl-session mount-1#1 GET *: answered 403 after N ms
express-apl-session mount-2#1 GET: session 132465, found by header
express-apl-session mount-2#1 loaded 1 label after N ms
express-apl-session mount-2#1 added 1 label
express-apl-session mount-2#1 the append failed: cannot append *** to ***
express-apl-session mount-2#1 held for N ms, then refused: session.persist_failed, INSTANCE
express-apl-session mount-2#1 GET *: answered 403 after N ms
express-apl-session mount-2#2 GET: session 132465, found by header
express-apl-session mount-2#2 the append failed: cannot append *** to ***
express-apl-session mount-2#2 labels of earlier requests could not be appended
express-apl-session mount-2#2 denied: session.persist_failed
express-apl-session mount-2#2 held for N ms, then refused: session.persist_failed, INSTANCE
express-apl-session mount-2#2 GET *: answered 403 after N ms
express-apl-session mount-3#1 GET: session 132465, found by header
express-apl-session mount-3#1 loaded 1 label after N ms
express-apl-session mount-3#1 added 1 label
express-apl-session mount-3#1 the append failed: cannot append *** to ***
express-apl-session mount-3#1 held for N ms, then cut: session.persist_failed
express-apl-session mount-3#1 GET *: closed before the end of the response after N ms
express-apl-session mount-4#1 GET: the error goes to Express: TypeError
express-apl-session mount-4#1 GET *: answered 500 after N ms
`
  .trim()
  .split('\n');

const LABEL_LINES = `
express-apl-session:labels mount-5#1 added: secret-label
express-apl-session:labels mount-5#1 added: second-label
express-apl-session:labels mount-5#1 appended: secret-label, second-label
express-apl-session:labels mount-5#2 loaded: secret-label, second-label
express-apl-session:labels mount-5#2 added: third-label
express-apl-session:labels mount-5#2 appended: third-label
express-apl-session:labels mount-5#3 loaded: secret-label, second-label, third-label
express-apl-session:labels mount-2#1 loaded: stored-label
express-apl-session:labels mount-2#1 added: secret-label
express-apl-session:labels mount-3#1 loaded: stored-label
express-apl-session:labels mount-3#1 added: secret-label
`
  .trim()
  .split('\n');

/** The lines of a request in their order. The last line of one may come after the first line of the next. */
function sorted(lines: readonly string[]): string[] {
  const requestOf = (line: string): string => line.split(' ')[1] ?? '';
  return lines.toSorted((a, b) => requestOf(a).localeCompare(requestOf(b)));
}

describe('debug output', function () {
  this.timeout(40_000);

  it('DEBUG is not set: nothing is written', async () => {
    expect(await linesWith('')).to.deep.equal([]);
  });

  it('DEBUG has other namespaces, or only a wildcard for labels: nothing is written', async () => {
    expect(await linesWith('express-apl-session:label*,express-apl')).to.deep.equal([]);
  });

  it('DEBUG=express-apl-session shows the way of each request', async () => {
    expect(sorted(await linesWith('express-apl-session'))).to.deep.equal(sorted(LINES));
  });

  for (const debug of ['express-apl-session', '*', 'express-apl-session*']) {
    it(`DEBUG=${debug} shows no label, session id, subject or credential`, async () => {
      const lines = (await linesWith(debug)).filter((line) => line.includes('express-apl-session'));
      expect(lines.length).to.be.greaterThan(20);
      for (const secret of ['secret-label', 'second-label', 'stored-label', SESSION, 'alice', 'hunter2']) {
        expect(lines.filter((line) => line.includes(secret))).to.deep.equal([]);
      }
    });
  }

  it('docs/debugging.md shows lines as they are written', () => {
    const withoutMount = (line: string): string =>
      line
        .replace(/(?<=^express-apl-session )(?:mount-\d|[0-9a-f]{4})/, 'MOUNT')
        .replace(/\d+\.\d ms/g, 'N ms')
        .replaceAll(INSTANCE, 'INSTANCE');
    const shown = only(/```text\n(.*?)\n```/s, read('docs/debugging.md'))
      .split('\n')
      .map(withoutMount);
    expect(shown.length).to.be.greaterThan(10);
    expect(LINES.map(withoutMount)).to.include.members(shown);
  });

  it('DEBUG=express-apl-session,express-apl-session:labels shows the labels as well', async () => {
    const lines = await linesWith('express-apl-session,express-apl-session:labels');
    expect(lines.filter((line) => line.startsWith('express-apl-session '))).to.have.length(LINES.length);
    expect(lines.filter((line) => line.includes(':labels'))).to.deep.equal(LABEL_LINES);
  });
});
