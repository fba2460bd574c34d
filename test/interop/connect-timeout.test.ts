import { expect } from 'chai';
import timeout from 'connect-timeout';
import type { RequestHandler } from 'express';
import { taint } from '../../lib/index.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { expectDenial, parseResponse } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';
import { Bench, type BenchOptions, describeInterop, HANDLER_MADE, POSITIONS } from './interop-suite.js';

const SHORT_MS = 15;
const CLOSE = { Connection: 'close' };

describe('with connect-timeout', () => {
  describeInterop('connect-timeout, not reached,', { mount: () => timeout('1h') });

  for (const [version, express] of EXPRESS_VERSIONS) {
    describe(`${version}: connect-timeout, reached`, () => {
      let bench: Bench;
      /** Resolves when the timeout of the latest request has passed, whether connect-timeout noticed or not. */
      let passed: Deferred<boolean>;
      let resumed: Deferred<void>;
      let handled: Deferred<unknown>;

      const open = async (position: BenchOptions['position']): Promise<Bench> => {
        const passing = deferred<boolean>();
        passed = passing;
        resumed = deferred();
        handled = deferred();
        bench = await Bench.open({
          express,
          position,
          mount: (): RequestHandler[] => [
            timeout(SHORT_MS),
            (req, _res, next) => {
              // timers of one duration fire in the order in which they were set: after the one of connect-timeout
              setTimeout(() => passing.resolve(req.timedout), SHORT_MS);
              next();
            },
          ],
          routes: (app) => {
            app.get('/waiting/:label', async (req, res) => {
              // the timeout takes the router further, and that changes req.params
              const { label } = req.params;
              if (label === 'early') req.security.labels.add('secret');
              await resumed.promise;
              if (label === 'late') req.security.labels.add('secret');
              try {
                res.json({ text: 'salary-4711' });
                handled.resolve('answered');
              } catch (error) {
                handled.resolve((error as NodeJS.ErrnoException).code);
              }
            });
            app.get('/guarded', taint('secret'), (_req, res) => {
              handled.resolve(res.headersSent);
              if (!res.headersSent) res.end('salary-4711');
            });
          },
        });
        return bench;
      };
      afterEach(() => bench.close());

      const expectTimeout = (text: string): void => {
        const response = parseResponse(text);
        expect(response.status).to.equal(503);
        expect(JSON.parse(response.body)).to.deep.equal({ error: 'Response timeout' });
        expect(text).not.to.match(HANDLER_MADE);
      };

      for (const outcome of ['succeed', 'fail'] as const) {
        it(`P52: before, during a load that then ${outcome}s: only the 503`, async () => {
          await open('before');
          bench.store.holdLoads = true;
          const wire = bench.send(get('/waiting/never', CLOSE));
          const load = await bench.store.nextLoad();
          expect(await passed.promise).to.equal(true);
          const text = await wire.closed();
          expectTimeout(text);
          load[outcome]();
          resumed.resolve();
          // a router goes through its stack once a request, and connect-timeout has already taken it to the end
          const notRun = bench.probe().then(() => 'not run');
          expect(await Promise.race([handled.promise, notRun])).to.equal('not run');
          expect(wire.received).to.equal(text);
          expect(bench.alarms).to.have.length(outcome === 'fail' ? 1 : 0);
        });

        it(`P52: before, during taint(), whose append then ${outcome}s: one response`, async () => {
          await open('before');
          const wire = bench.send(get('/guarded', CLOSE));
          const append = await bench.store.nextAppend();
          expect(await passed.promise).to.equal(true);
          await bench.probe();
          expect(bench.latest.bytesOut(), 'G1: nor does a 503 leave before the label is saved').to.equal(0);
          append[outcome]();
          const text = await wire.closed();
          if (outcome === 'succeed') expectTimeout(text);
          else expectDenial(parseResponse(text), 'session.persist_failed', Object.keys(bench.latest.headersAtEntry));
        });
      }

      it('P52: after, the time of the load does not count', async () => {
        await open('after');
        bench.store.holdLoads = true;
        const wire = bench.send(get('/clean/json', CLOSE));
        const load = await bench.store.nextLoad();
        load.succeed();
        expect(parseResponse(await wire.closed()).status).to.equal(200);
      });

      for (const position of POSITIONS) {
        for (const outcome of ['succeed', 'fail'] as const) {
          for (const answer of ['json', 'pipe']) {
            it(`P52: ${position}, ${answer} held: no timeout (append ${outcome}s)`, async () => {
              await open(position);
              const wire = bench.send(get(`/tainting/${answer}`, CLOSE));
              const append = await bench.store.nextAppend();
              // the handler has answered in time, so the timer is stopped
              expect(await passed.promise).to.equal(false);
              expect(wire.received).to.equal('');
              append[outcome]();
              const response = parseResponse(await wire.closed());
              expect(response.status).to.equal(outcome === 'succeed' ? 200 : 403);
              expect(bench.errors).to.deep.equal([]);
            });
          }

          it(`P52: ${position}, in a tainting handler: 503 held (append ${outcome}s)`, async () => {
            await open(position);
            const wire = bench.send(get('/waiting/early', CLOSE));
            expect(await passed.promise).to.equal(true);
            const append = await bench.store.nextAppend();
            await bench.probe();
            expect(bench.latest.bytesOut()).to.equal(0);
            append[outcome]();
            const text = await wire.closed();
            if (outcome === 'succeed') expectTimeout(text);
            else expectDenial(parseResponse(text), 'session.persist_failed', Object.keys(bench.latest.headersAtEntry));
            resumed.resolve();
            expect(await handled.promise).to.equal('ERR_HTTP_HEADERS_SENT');
          });
        }

        it(`G7, P52: ${position}, a label after the 503: saved, and nothing is sent`, async () => {
          await open(position);
          const wire = bench.send(get('/waiting/late', CLOSE));
          expect(await passed.promise).to.equal(true);
          const text = await wire.closed();
          expectTimeout(text);
          resumed.resolve();
          expect(await handled.promise).to.equal('ERR_HTTP_HEADERS_SENT');
          (await bench.store.nextAppend()).succeed();
          await bench.probe();
          expect(wire.received).to.equal(text);
          expect(await bench.store.loadLabels('s1')).to.deep.equal(['secret']);
        });
      }
    });
  }
});
