import bodyParser from 'body-parser';
import { expect } from 'chai';
import cookieParser from 'cookie-parser';
import type { Request } from 'express';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { expectDenial, normalised, parseResponse } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';
import { Bench, describeInterop, POSITIONS } from './interop-suite.js';

const parsers = () => [cookieParser('of the test'), bodyParser.json({ limit: 100_000 })];

function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const length = String(Buffer.byteLength(body));
  const head = { 'Content-Type': 'application/json', 'Content-Length': length, Connection: 'close', ...headers };
  return get(path, head).replace('GET', 'POST') + body;
}

describe('with cookie-parser and body-parser', () => {
  describeInterop('cookie-parser and body-parser', { mount: parsers, headers: { Cookie: 'a=b' } });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      describe(`${version}: cookie-parser and body-parser ${position} aplSessionMiddleware`, () => {
        let bench: Bench;
        let plain: Bench;
        const open = (where: 'before' | 'after' | 'absent') =>
          Bench.open({
            express,
            position: where,
            mount: parsers,
            routes: (app) => {
              app.post('/echo', (req, res) => {
                (req as Partial<Request>).security?.labels.add('secret');
                res.cookie('signed', 'v', { signed: true }).json({ cookies: req.cookies, body: req.body });
              });
            },
          });
        beforeEach(async () => {
          bench = await open(position);
          plain = await open('absent');
        });
        afterEach(() => Promise.all([bench.close(), plain.close()]));

        const BODY = JSON.stringify({ text: 'x'.repeat(90_000) });

        it('G8, P56: a body that arrives before the load has settled is parsed', async () => {
          bench.store.holdLoads = true;
          const wire = bench.send(post('/echo', BODY, { Cookie: 'a=b' }));
          const load = await bench.store.nextLoad();
          await bench.probe();
          load.succeed();
          (await bench.store.nextAppend()).succeed();
          const text = await wire.closed();
          expect(JSON.parse(parseResponse(text).body)).to.deep.equal({ cookies: { a: 'b' }, body: JSON.parse(BODY) });
          const reference = await plain.send(post('/echo', BODY, { Cookie: 'a=b' })).closed();
          expect(normalised(text)).to.equal(normalised(reference));
        });

        it('G8: a body that ends after the load has settled is parsed', async () => {
          const request = post('/echo', BODY);
          const wire = bench.send(request.slice(0, -10));
          await bench.probe();
          wire.send(request.slice(-10));
          (await bench.store.nextAppend()).succeed();
          expect(JSON.parse(parseResponse(await wire.closed()).body).body).to.deep.equal(JSON.parse(BODY));
        });

        it('G2: a failed append is answered with the denial, and no signed cookie', async () => {
          const wire = bench.send(post('/echo', BODY));
          (await bench.store.nextAppend()).fail();
          expectDenial(parseResponse(await wire.closed()), 'session.persist_failed', ['x-powered-by']);
        });

        for (const [what, body] of [
          ['malformed', '{'],
          ['too large', JSON.stringify('x'.repeat(100_001))],
        ] as const) {
          it(`G8: a ${what} body gets the same error as without the middleware`, async () => {
            const text = await bench.send(post('/echo', body)).closed();
            expect(parseResponse(text).status).to.equal(what === 'malformed' ? 400 : 413);
            expect(normalised(text)).to.equal(normalised(await plain.send(post('/echo', body)).closed()));
            expect(bench.store.appends.length).to.equal(0);
          });
        }
      });
    }
  }
});
