import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { Request } from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { denyIf } from '../../lib/index.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { expectDenial, normalised, parseResponse } from '../support/parse-response.js';
import { get, type RunningServer, serve } from '../support/raw-http.js';
import { Bench, type BenchOptions, describeInterop, HANDLER_MADE, POSITIONS } from './interop-suite.js';

const CLOSE = { Connection: 'close' };

describe('with http-proxy-middleware', () => {
  let backend: RunningServer;
  let second: Deferred<'go on' | 'break'>;
  let backendClosed: Deferred<void>;
  let backendRequests: number;

  before(async () => {
    const answer = async (_req: IncomingMessage, res: ServerResponse): Promise<void> => {
      backendRequests++;
      res.once('close', () => backendClosed.resolve());
      res.setHeader('X-Handler', 'backend');
      res.setHeader('Set-Cookie', ['handler=salary-4711', 'other=1; Path=/']);
      if (_req.url === '/proxied/stream') {
        res.setHeader('Content-Type', 'text/event-stream');
        res.write('data: first\n\n');
        if ((await second.promise) === 'break') res.destroy();
        else res.end('data: salary-4711\n\n');
      } else if (_req.url === '/proxied/large') {
        res.end('salary-4711 '.repeat(200_000));
      } else {
        res.writeHead(201, 'Made', { 'Content-Type': 'text/plain' }).end('salary-4711');
      }
    };
    backend = await serve((req, res) => void answer(req, res));
  });
  after(() => backend.close());
  beforeEach(() => {
    second = deferred();
    backendClosed = deferred();
    backendRequests = 0;
  });

  const proxy = (target = `http://127.0.0.1:${backend.port}`, label?: string) =>
    createProxyMiddleware<Request>({
      target,
      pathFilter: '/proxied',
      on: {
        proxyRes: (_proxyRes, req) => {
          if (label) (req as Partial<Request>).security?.labels.add(label);
        },
      },
    });

  describeInterop('http-proxy-middleware, for other paths,', { mount: () => proxy() });

  for (const [version, express] of EXPRESS_VERSIONS) {
    describe(`${version}: http-proxy-middleware`, () => {
      let bench: Bench;
      let plain: Bench;
      /** The proxy behind the middleware, as a route, that taints when the backend has answered. */
      const open = async (label: string | undefined, position: BenchOptions['position'] = 'after', target?: string) => {
        const mount = () => proxy(target, label);
        bench = await Bench.open({ express, position, mount });
        plain = await Bench.open({ express, position: 'absent', mount });
      };
      afterEach(() => Promise.all([bench.close(), plain.close()]));

      for (const position of POSITIONS) {
        for (const path of ['/proxied/plain', '/proxied/large']) {
          it(`G8: ${path} without a label, ${position}: the same bytes as without`, async () => {
            await open(undefined, position);
            const text = await bench.send(get(path, CLOSE)).closed();
            expect(parseResponse(text).body).to.match(/^salary-4711/);
            expect(normalised(text)).to.equal(normalised(await plain.send(get(path, CLOSE)).closed()));
            expect(bench.store.loads.length).to.equal(position === 'before' ? 0 : 1);
          });
        }
      }

      for (const path of ['/proxied/plain', '/proxied/large']) {
        it(`G1: ${path} with a label: held, then the same bytes`, async () => {
          await open('secret');
          const wire = bench.send(get(path, CLOSE));
          const append = await bench.store.nextAppend();
          await bench.probe();
          expect(wire.received).to.equal('');
          expect(bench.latest.bytesOut()).to.equal(0);
          append.succeed();
          const text = await wire.closed();
          expect(normalised(text)).to.equal(normalised(await plain.send(get(path, CLOSE)).closed()));
          await bench.latest.over;
          expect(bench.latest.finished).to.deep.equal([parseResponse(text).status]);
        });

        it(`G2: ${path} with a label whose append fails: only the denial`, async () => {
          await open('secret');
          const wire = bench.send(get(path, CLOSE));
          (await bench.store.nextAppend()).fail();
          const text = await wire.closed();
          expect(text).not.to.match(HANDLER_MADE);
          expectDenial(parseResponse(text), 'session.persist_failed', ['x-powered-by']);
          await bench.latest.over;
          expect(bench.latest.finished).to.deep.equal([403]);
        });
      }

      it('P42: a stream without a label is not delayed', async () => {
        await open(undefined);
        const wire = bench.send(get('/proxied/stream', CLOSE));
        await wire.until(/data: first\n\n\r\n$/);
        second.resolve('go on');
        expect(parseResponse(await wire.closed()).body).to.equal('data: first\n\ndata: salary-4711\n\n');
      });

      it('G1, P42: of a stream with a label only the first event waits', async () => {
        await open('secret');
        const wire = bench.send(get('/proxied/stream', CLOSE));
        const append = await bench.store.nextAppend();
        await bench.probe();
        expect(bench.latest.bytesOut()).to.equal(0);
        append.succeed();
        await wire.until(/data: first\n\n\r\n$/);
        second.resolve('go on');
        expect(parseResponse(await wire.closed()).body).to.equal('data: first\n\ndata: salary-4711\n\n');
      });

      it('G2: a stream whose append fails: denied, and the backend is closed', async () => {
        await open('secret');
        const wire = bench.send(get('/proxied/stream'));
        (await bench.store.nextAppend()).fail();
        const text = await wire.closed();
        expectDenial(parseResponse(text), 'session.persist_failed', ['x-powered-by']);
        await backendClosed.promise;
      });

      it('G2, P44: a failed append in the middle of a stream truncates it', async () => {
        await open(undefined);
        const wire = bench.send(get('/proxied/stream', CLOSE));
        const first = await wire.until(/data: first\n\n\r\n$/);
        bench.latest.req.security.labels.add('secret');
        second.resolve('go on');
        const append = await bench.store.nextAppend();
        await bench.probe();
        expect(wire.received).to.equal(first);
        append.fail();
        expect(await wire.closed()).to.equal(first);
        expect(() => parseResponse(first)).to.throw(/chunk/);
      });

      it('P47: a backend that breaks off during the hold: sent as without, saved', async () => {
        await open('secret');
        const wire = bench.send(get('/proxied/stream', CLOSE));
        const append = await bench.store.nextAppend();
        second.resolve('break');
        await backendClosed.promise;
        await bench.probe();
        expect(bench.latest.bytesOut()).to.equal(0);
        append.succeed();
        // http-proxy does not end a response whose backend broke off; the client decides when to give up
        const text = await wire.until(/data: first\n\n\r\n$/);
        expect(() => parseResponse(text)).to.throw(/chunk/);
        wire.destroy();
        await bench.latest.over;
        expect(await bench.store.loadLabels('s1')).to.deep.equal(['secret']);
      });

      it('P45: a client that leaves during the hold: backend closed, label saved', async () => {
        await open('secret');
        const wire = bench.send(get('/proxied/stream', CLOSE));
        const append = await bench.store.nextAppend();
        wire.destroy();
        append.succeed();
        await bench.latest.over;
        await backendClosed.promise;
        expect(await bench.store.loadLabels('s1')).to.deep.equal(['secret']);
      });

      it('G8: a backend that is down: the error of the proxy, held like any', async () => {
        const gone = http.createServer().listen(0, '127.0.0.1');
        await once(gone, 'listening');
        const { port } = gone.address() as { port: number };
        gone.close();
        await once(gone, 'close');
        await open(undefined, 'after', `http://127.0.0.1:${port}`);
        const text = await bench.send(get('/proxied/plain', CLOSE)).closed();
        expect(parseResponse(text).status).to.equal(504);
        expect(normalised(text)).to.equal(normalised(await plain.send(get('/proxied/plain', CLOSE)).closed()));
      });

      it('a policy denial before the proxy sends nothing to the backend', async () => {
        bench = await Bench.open({
          express,
          position: 'after',
          mount: () => [denyIf(() => true, { code: 'policy.refused', reason: 'no' }), proxy()],
        });
        plain = bench;
        const response = parseResponse(await bench.send(get('/proxied/plain', CLOSE)).closed());
        expectDenial(response, 'policy.refused', ['x-powered-by']);
        expect(backendRequests).to.equal(0);
      });
    });
  }
});
