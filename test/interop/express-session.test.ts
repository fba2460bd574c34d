import { expect } from 'chai';
import type { Request } from 'express';
import session, { MemoryStore, type SessionData } from 'express-session';
import { type Deferred, deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { expectDenial, normalised, parseResponse } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';
import { Bench, describeInterop, HANDLER_MADE, POSITIONS } from './interop-suite.js';

/** A session store that keeps its answer to `set` until the test lets it go. */
class SlowSaveStore extends MemoryStore {
  saving: Deferred<void> | undefined;
  released: Deferred<void> | undefined;

  override set(id: string, data: SessionData, callback?: (error?: unknown) => void): void {
    this.saving?.resolve();
    void (this.released?.promise ?? Promise.resolve()).then(() => super.set(id, data, callback));
  }
}

const expressSession = (options: Partial<session.SessionOptions> = {}) =>
  session({
    secret: 'of the test',
    genid: () => 'fixed',
    resave: false,
    saveUninitialized: true,
    store: new MemoryStore(),
    ...options,
  });

const CLOSE = { Connection: 'close' };
const kept = (bench: Bench) => Object.keys(bench.latest.headersAtEntry);
type NotedRequest = Request & { session: { note?: string } };

describe('with express-session', () => {
  describeInterop('express-session', { mount: () => expressSession() });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      describe(`${version}: express-session ${position} aplSessionMiddleware`, () => {
        let store: SlowSaveStore;
        let bench: Bench;
        let plain: Bench;
        const open = (where: 'before' | 'after' | 'absent', sessions = new SlowSaveStore()) =>
          Bench.open({
            express,
            position: where,
            mount: () =>
              expressSession({ store: sessions, saveUninitialized: false, rolling: true, cookie: { maxAge: 60_000 } }),
            routes: (app) => {
              app.get('/policy/noted', (req) => {
                (req as NotedRequest).session.note = 'salary-4711';
                req.security.deny({ code: 'policy.refused', reason: 'the policy refuses' });
              });
              app.get('/:situation/noted', (req, res) => {
                if (req.params.situation === 'tainting') (req as Partial<Request>).security?.labels.add('secret');
                (req as NotedRequest).session.note = 'salary-4711';
                res.send('noted');
              });
              app.get('/tainting/destroyed', (req, res) => {
                (req as Partial<Request>).security?.labels.add('secret');
                req.session.destroy(() => res.send('destroyed'));
              });
              app.get('/note', (req, res) => void res.send((req as NotedRequest).session.note ?? 'none'));
            },
          });
        beforeEach(async () => {
          store = new SlowSaveStore();
          bench = await open(position, store);
          plain = await open('absent');
        });
        afterEach(() => Promise.all([bench.close(), plain.close()]));

        /** Lets appends succeed; the response, and the Cookie header for the next request. */
        const ask = async (on: Bench, path: string, cookie?: string) => {
          const wire = on.send(get(path, { ...(cookie ? { Cookie: cookie } : {}), ...CLOSE }));
          if (on === bench && path.startsWith('/tainting')) (await bench.store.nextAppend()).succeed();
          const text = await wire.closed();
          return { text, cookie: parseResponse(text).header('set-cookie')?.split(';')[0] };
        };

        it('G8: an uninitialised session sets no cookie, and the bytes are the same', async () => {
          const { text, cookie } = await ask(bench, '/note');
          expect(cookie).to.equal(undefined);
          expect(normalised(text)).to.equal(normalised((await ask(plain, '/note')).text));
        });

        for (const situation of ['clean', 'tainting']) {
          it(`G8, P53: a session that a ${situation} handler writes to is saved`, async () => {
            for (const on of [bench, plain]) {
              const first = await ask(on, `/${situation}/noted`);
              expect(first.cookie).to.match(/^connect\.sid=s%3Afixed\./);
              const second = await ask(on, '/note', first.cookie);
              expect(parseResponse(second.text).body).to.equal('salary-4711');
              expect(second.cookie).to.equal(first.cookie);
              on.errors.push(normalised(first.text), normalised(second.text));
            }
            expect(bench.errors).to.deep.equal(plain.errors);
          });
        }

        it('G8: a handler that destroys the session', async () => {
          const { cookie } = await ask(bench, '/clean/noted');
          const reference = await ask(plain, '/clean/noted');
          const { text } = await ask(bench, '/tainting/destroyed', cookie);
          expect(normalised(text)).to.equal(
            normalised((await ask(plain, '/tainting/destroyed', reference.cookie)).text),
          );
          expect(parseResponse((await ask(bench, '/note', cookie)).text).body).to.equal('none');
        });

        it('G1, P1: a slow session store: held by the labels first, then as usual', async () => {
          store.saving = deferred();
          store.released = deferred();
          const wire = bench.send(get('/tainting/noted', CLOSE));
          const append = await bench.store.nextAppend();
          await store.saving.promise;
          await bench.probe();
          expect(bench.latest.bytesOut()).to.equal(0);
          append.succeed();
          // express-session itself sends all but the last byte before its save is through
          expect(await wire.until(/note$/)).to.match(/\r\n\r\nnote$/);
          store.released.resolve();
          expect(normalised(await wire.closed())).to.equal(normalised((await ask(plain, '/clean/noted')).text));
        });

        it('G1: a session store that is faster than the label store works as usual', async () => {
          const wire = bench.send(get('/tainting/noted', CLOSE));
          const append = await bench.store.nextAppend();
          await bench.probe();
          expect(bench.latest.res.writableEnded).to.equal(true);
          expect(bench.latest.bytesOut()).to.equal(0);
          append.succeed();
          expect(parseResponse(await wire.closed()).body).to.equal('noted');
        });

        it('G2, P32: the cookie of a changed session does not leave with the denial', async () => {
          const wire = bench.send(get('/tainting/noted', CLOSE));
          (await bench.store.nextAppend()).fail();
          const text = await wire.closed();
          expect(text).not.to.match(/set-cookie|connect\.sid/i);
          expectDenial(parseResponse(text), 'session.persist_failed', kept(bench));
        });

        it('G2, P32: nor does a rolled cookie, and the old session stays valid', async () => {
          const { cookie } = await ask(bench, '/clean/noted');
          const wire = bench.send(get('/tainting/noted', { Cookie: cookie ?? '', ...CLOSE }));
          (await bench.store.nextAppend()).fail();
          expectDenial(parseResponse(await wire.closed()), 'session.persist_failed', kept(bench));
          expect(parseResponse((await ask(bench, '/note', cookie)).text).body).to.equal('salary-4711');
        });

        it('G2: a persist failure while the session is being saved: one denial', async () => {
          store.saving = deferred();
          store.released = deferred();
          const wire = bench.send(get('/tainting/noted'));
          const append = await bench.store.nextAppend();
          await store.saving.promise;
          append.fail();
          await wire.until(/persist_failed"}$/);
          store.released.resolve();
          // the response had not ended when it was refused, so the connection ends with the denial
          const text = await wire.closed();
          expectDenial(parseResponse(text), 'session.persist_failed', kept(bench));
          expect(wire.ending).to.equal('end');
        });

        it('G2: a policy denial carries no session cookie either', async () => {
          const text = await bench.send(get('/policy/noted', CLOSE)).closed();
          expect(text).not.to.match(HANDLER_MADE);
          expectDenial(parseResponse(text), 'policy.refused', kept(bench));
        });
      });
    }
  }
});
