import { expect } from 'chai';
import { rateLimit } from 'express-rate-limit';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { normalised, parseResponse } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';
import { Bench, describeInterop, POSITIONS } from './interop-suite.js';

type LimitOptions = NonNullable<Parameters<typeof rateLimit>[0]>;
const limiter = (options: LimitOptions = {}) =>
  rateLimit({ windowMs: 3_600_000, limit: 50, standardHeaders: 'draft-6', legacyHeaders: false, ...options });

const CLOSE = { Connection: 'close' };

describe('with express-rate-limit', () => {
  describeInterop('express-rate-limit', { mount: () => limiter() });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      describe(`${version}: express-rate-limit ${position} aplSessionMiddleware`, () => {
        it('G8: the 429 has the same bytes as without the middleware', async () => {
          const mount = () => limiter({ limit: 1 });
          const bench = await Bench.open({ express, position, mount });
          const plain = await Bench.open({ express, position: 'absent', mount });
          for (const on of [bench, plain]) await on.send(get('/clean/json', CLOSE)).closed();
          const text = await bench.send(get('/tainting/json', CLOSE)).closed();
          expect(parseResponse(text).status).to.equal(429);
          expect(normalised(text)).to.equal(normalised(await plain.send(get('/tainting/json', CLOSE)).closed()));
          // mounted before, a refused request does not touch the store
          expect(bench.store.loads.length).to.equal(position === 'before' ? 1 : 2);
          expect(bench.store.appends.length).to.equal(0);
          await Promise.all([bench.close(), plain.close()]);
        });

        for (const outcome of ['succeed', 'fail'] as const) {
          for (const way of ['skipFailedRequests', 'skipSuccessfulRequests'] as const) {
            it(`P61: ${way} counts what was really sent (append ${outcome}s)`, async () => {
              const bench = await Bench.open({ express, position, mount: () => limiter({ [way]: true }) });
              const wire = bench.send(get('/tainting/json', CLOSE));
              (await bench.store.nextAppend())[outcome]();
              await wire.closed();
              await bench.latest.over;
              await bench.probe();
              const next = parseResponse(await bench.send(get('/clean/json', CLOSE)).closed());
              const skipped = (outcome === 'fail') === (way === 'skipFailedRequests');
              expect(next.header('ratelimit-remaining')).to.equal(skipped ? '49' : '48');
              await bench.close();
            });
          }
        }
      });
    }
  }
});
