import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'chai';
import type { Request, RequestHandler } from 'express';
import morgan from 'morgan';
import onFinished from 'on-finished';
import onHeaders from 'on-headers';
import responseTime from 'response-time';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { expectDenial, parseResponse } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';
import { Bench, describeInterop, HANDLER_MADE, POSITIONS } from './interop-suite.js';

const CLOSE = { Connection: 'close' };

describe('with morgan', () => {
  describeInterop('morgan', {
    mount: () => morgan(':status :res[content-length] :response-time', { stream: { write() {} } }),
  });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      describe(`${version}: the access log, morgan ${position} aplSessionMiddleware`, () => {
        let lines: string[];
        let immediate: string[];
        /** morgan's `:response-time` of the latest request, as far as it is measured now. */
        let responseTimeNow: () => string | undefined;
        let bench: Bench;
        beforeEach(async () => {
          lines = [];
          immediate = [];
          bench = await Bench.open({
            express,
            position,
            mount: () => [
              morgan<Request>(
                (tokens, req) => {
                  responseTimeNow = () => tokens['response-time']?.(req, bench.latest.res, '6');
                  return 'started';
                },
                { immediate: true, stream: { write: (line) => immediate.push(line) } },
              ),
              morgan(':status :res[content-length] :response-time[6]', {
                stream: { write: (line) => lines.push(line) },
              }),
            ],
          });
        });
        afterEach(() => bench.close());

        const logged = async (): Promise<RegExpExecArray> => {
          await bench.latest.over;
          await bench.probe();
          expect(lines).to.have.length(1);
          const match = /^(\S+) (\S+) (\S+)\n$/.exec(lines[0] ?? '');
          if (!match) throw new Error(`Not in the format: ${lines[0]}`);
          return match;
        };

        it("P61: a held answer is logged when it was sent, with the handler's time", async () => {
          const wire = bench.send(get('/tainting/json', CLOSE));
          const append = await bench.store.nextAppend();
          await bench.probe();
          const handlerTime = responseTimeNow();
          expect(handlerTime).to.match(/^\d+\.\d{6}$/);
          expect(lines).to.deep.equal([]);
          append.succeed();
          const response = parseResponse(await wire.closed());
          const [, status, length, time] = await logged();
          expect(status).to.equal('200');
          expect(length).to.equal(response.header('content-length'));
          expect(time).to.equal(handlerTime);
          expect(immediate).to.deep.equal(['started\n']);
        });

        it('G2: a persist failure is logged as a 403 with its length', async () => {
          const wire = bench.send(get('/tainting/json', CLOSE));
          (await bench.store.nextAppend()).fail();
          const response = parseResponse(await wire.closed());
          const [, status, length] = await logged();
          expect(status).to.equal('403');
          expect(length).to.equal(response.header('content-length'));
        });

        it('G2: a persist failure of an unfinished response is logged as a 403', async () => {
          const wire = bench.send(get('/tainting/pipe', CLOSE));
          (await bench.store.nextAppend()).fail();
          parseResponse(await wire.closed());
          const [, status] = await logged();
          expect(status).to.equal('403');
        });

        it('P61: a policy denial is logged as 403', async () => {
          const response = parseResponse(await bench.send(get('/policy/late', CLOSE)).closed());
          const [, status, length] = await logged();
          expect(status).to.equal('403');
          expect(length).to.equal(response.header('content-length'));
        });

        it('P61: the immediate log has one line, before the response', async () => {
          const wire = bench.send(get('/tainting/json', CLOSE));
          const append = await bench.store.nextAppend();
          expect(immediate).to.deep.equal(['started\n']);
          append.fail();
          await wire.closed();
          await logged();
          expect(immediate).to.deep.equal(['started\n']);
        });
      });
    }
  }
});

describe('with response-time', () => {
  describeInterop('response-time', { mount: () => responseTime() });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      it(`${version}: P61: response-time ${position} measures once, before the append`, async () => {
        const bench = await Bench.open({ express, position, mount: () => responseTime({ digits: 6 }) });
        const wire = bench.send(get('/tainting/json', CLOSE));
        const append = await bench.store.nextAppend();
        await bench.probe();
        const handlerTime = bench.latest.res.getHeader('X-Response-Time');
        expect(handlerTime).to.match(/^\d+\.\d{6}ms$/);
        append.succeed();
        expect(parseResponse(await wire.closed()).header('x-response-time')).to.equal(handlerTime);
        await bench.close();
      });
    }
  }
});

describe('with users of on-headers', () => {
  describeInterop('on-headers', {
    mount: (): RequestHandler => (_req, res, next) => {
      onHeaders(res, () => res.setHeader('X-Late', 'late'));
      next();
    },
  });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      describe(`${version}: a cookie that carries state, written by on-headers ${position} aplSessionMiddleware`, () => {
        type StateRequest = Request & { state?: string };
        let bench: Bench;
        beforeEach(async () => {
          bench = await Bench.open({
            express,
            position,
            mount: (): RequestHandler => (req, res, next) => {
              onHeaders(res, () => res.append('Set-Cookie', `state=${(req as StateRequest).state ?? 'none'}`));
              next();
            },
            routes: (app) => {
              app.use((req: StateRequest, _res, next) => {
                req.state = 'salary-4711';
                next();
              });
            },
          });
        });
        afterEach(() => bench.close());

        it('P61: is on a held answer', async () => {
          const wire = bench.send(get('/tainting/json', CLOSE));
          (await bench.store.nextAppend()).succeed();
          expect(await wire.closed()).to.include('Set-Cookie: state=salary-4711');
        });

        it('G2, P32: is not on the denial after a failed append', async () => {
          const wire = bench.send(get('/tainting/json', CLOSE));
          (await bench.store.nextAppend()).fail();
          const text = await wire.closed();
          expect(text).not.to.match(HANDLER_MADE);
          expectDenial(parseResponse(text), 'session.persist_failed', ['x-powered-by']);
        });
      });
    }
  }
});

describe('with users of on-finished', () => {
  const storage = new AsyncLocalStorage<string>();

  describeInterop('on-finished', {
    mount: (): RequestHandler => (_req, res, next) => {
      onFinished(res, () => {});
      next();
    },
  });

  for (const [version, express] of EXPRESS_VERSIONS) {
    for (const position of POSITIONS) {
      for (const outcome of ['succeed', 'fail'] as const) {
        it(`${version}: P51: on-finished ${position} runs once (append ${outcome}s)`, async () => {
          const calls: Array<{ context: string | undefined; status: number; error: unknown }> = [];
          const bench = await Bench.open({
            express,
            position,
            mount: (): RequestHandler => (_req, res, next) =>
              storage.run('of the request', () => {
                onFinished(res, (error) => {
                  calls.push({ context: storage.getStore(), status: res.statusCode, error });
                });
                next();
              }),
          });
          const wire = bench.send(get('/tainting/json', CLOSE));
          const append = await bench.store.nextAppend();
          await bench.probe();
          expect(calls).to.deep.equal([]);
          append[outcome]();
          await wire.closed();
          await bench.latest.over;
          await bench.probe();
          expect(calls).to.deep.equal([
            { context: 'of the request', status: outcome === 'succeed' ? 200 : 403, error: null },
          ]);
          await bench.close();
        });
      }

      it(`${version}: P45: on-finished ${position} runs once when the client leaves`, async () => {
        let calls = 0;
        const bench = await Bench.open({
          express,
          position,
          mount: (): RequestHandler => (_req, res, next) => {
            onFinished(res, () => {
              calls++;
            });
            next();
          },
        });
        const wire = bench.send(get('/tainting/json', CLOSE));
        const append = await bench.store.nextAppend();
        wire.destroy();
        await bench.probe();
        append.succeed();
        await bench.latest.over;
        await bench.probe();
        expect(calls).to.equal(1);
        expect(await bench.store.loadLabels('s1')).to.deep.equal(['secret']);
        await bench.close();
      });
    }
  }
});
