import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import compression from 'compression';
import express from 'express';
import { type Deferred, deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { expectDenial, parseResponse } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';
import { ANSWERS, Bench, describeInterop, HANDLER_MADE, POSITIONS } from './interop-suite.js';

const GZIP = { 'Accept-Encoding': 'gzip', Connection: 'close' };
/** A head and a body that ends with what zlib writes for a flush. */
const FLUSHED = new RegExp(`\r\n\r\n[0-9a-f]+\r\n[\\s\\S]*${Buffer.from([0, 0, 255, 255]).toString('latin1')}\r\n`);

describe('with compression', () => {
  describeInterop('compression', {
    mount: () => compression(),
    headers: { 'Accept-Encoding': 'gzip' },
    answers: Object.keys(ANSWERS),
  });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      describe(`${version}: gzip ${position} aplSessionMiddleware`, () => {
        let bench: Bench;
        let second: Deferred<void>;
        beforeEach(async () => {
          second = deferred();
          bench = await Bench.open({
            express,
            position,
            mount: () => compression({ threshold: 0 }),
            routes: (app) => {
              app.get('/events/:label', async (req, res) => {
                if (req.params.label === 'first') req.security.labels.add('secret');
                res.type('text/event-stream').write('data: first\n\n');
                (res as typeof res & { flush(): void }).flush();
                await second.promise;
                if (req.params.label === 'second') req.security.labels.add('secret');
                res.end('data: salary-4711\n\n');
              });
            },
          });
        });
        afterEach(() => bench.close());

        it('P9: a held answer is gzip, and decodes to what the handler sent', async () => {
          const wire = bench.send(get('/tainting/chunks', GZIP));
          (await bench.store.nextAppend()).succeed();
          const response = parseResponse(await wire.closed());
          expect(response.header('content-encoding')).to.equal('gzip');
          expect(response.body).to.match(/^salary-4711 .*second salary-4711third$/);
        });

        it('G2: the denial of a persist failure is not compressed', async () => {
          const wire = bench.send(get('/tainting/json', GZIP));
          (await bench.store.nextAppend()).fail();
          expectDenial(parseResponse(await wire.closed()), 'session.persist_failed', ['x-powered-by']);
        });

        it('P9: a policy denial is not compressed, and is well-formed', async () => {
          const response = parseResponse(await bench.send(get('/policy/late', GZIP)).closed());
          expect(response.header('content-encoding')).to.equal(undefined);
          expect(JSON.parse(response.body)).to.include({ status: 403, code: 'policy.refused' });
          expect(response.headers.map(({ name }) => name)).not.to.include('Set-Cookie');
        });

        it('P42, P43: flush() works, and after the release an event is not delayed', async () => {
          const wire = bench.send(get('/events/first', GZIP));
          const append = await bench.store.nextAppend();
          await bench.probe();
          expect(wire.received).to.equal('');
          append.succeed();
          // the head and the flushed first event arrive while the second one is still to be made
          await wire.until(FLUSHED);
          second.resolve();
          expect(parseResponse(await wire.closed()).body).to.equal('data: first\n\ndata: salary-4711\n\n');
        });

        it('G2, P44: a failed append after the head left truncates the response', async () => {
          const wire = bench.send(get('/events/second', GZIP));
          const first = await wire.until(FLUSHED);
          second.resolve();
          const append = await bench.store.nextAppend();
          await bench.probe();
          expect(wire.received).to.equal(first);
          append.fail();
          const text = await wire.closed();
          expect(text).to.equal(first);
          expect(() => parseResponse(text)).to.throw(/chunk/);
          const gzip = text.slice(text.indexOf('\r\n', text.indexOf('\r\n\r\n') + 4) + 2);
          expect(() => gunzipSync(Buffer.from(gzip, 'latin1'))).to.throw();
          expect(text).not.to.match(/salary/);
        });
      });
    }
  }

  it('P9: HANDLER_MADE finds a gzip body, so the check above can fail', async () => {
    const bench = await Bench.open({
      express,
      position: 'absent',
      mount: () => compression(),
    });
    const text = await bench.send(get('/clean/json', GZIP)).closed();
    await bench.close();
    expect(text.slice(text.indexOf('\r\n\r\n'))).to.match(HANDLER_MADE);
  });
});
