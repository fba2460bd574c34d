import type { RequestListener, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { expect } from 'chai';
import { GatedServer } from '../support/gated-server.js';
import { exchange, get, serve } from '../support/raw-http.js';

/** Its types are for browsers too. */
const { getRequestListener } = createRequire(import.meta.url)('@hono/node-server') as {
  getRequestListener(fetch: () => Promise<Response>): RequestListener;
};

const error = (): Error => new Error('of the app');
const coded = (code: string, more: object = {}): Error => Object.assign(new Error(code), { code, ...more });

/** Ways in which an app destroys what it has answered. */
const DESTRUCTIONS: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
  'res.destroy()': (res) => res.destroy(),
  'res.destroy(error)': (res) => res.destroy(error()),
  'res.destroy() with an error of a file': (res) =>
    res.destroy(coded('ENOENT', { syscall: 'open', errno: -2, path: '/salaries' })),
  'req.destroy()': (res) => res.req.destroy(),
  'req.destroy(error)': (res) => res.req.destroy(error()),
  'socket.destroy(error)': (res) => res.req.socket.destroy(error()),
  'socket.destroy() with a word': (res) => res.req.socket.destroy('word' as never),
  'socket.end()': (res) => res.socket?.end(),
  'socket.destroySoon()': (res) => res.socket?.destroySoon(),
  'every way at once': (res) => {
    res.socket?.end();
    res.destroy(error());
    res.req.destroy(error());
    res.req.socket.destroy(error());
  },
};

const ANSWERS: Readonly<Record<string, (res: ServerResponse) => void>> = {
  'an answer': (res) => void res.writeHead(500).end('the error'),
  'a large answer': (res) => void res.writeHead(500).end('x'.repeat(200_000)),
  'an answer in parts': (res) => {
    res.writeHead(500);
    res.write('the ');
    res.end('error');
  },
};

const REQUESTS: Readonly<Record<string, string>> = {
  'HTTP/1.1': get('/'),
  'HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
};

/** Errors by which the system tells that the connection is gone. */
const SYSTEM: readonly Error[] = [
  coded('ECONNRESET', { syscall: 'read', errno: -104 }),
  coded('ECONNRESET'),
  coded('EPIPE', { syscall: 'write', errno: -32 }),
  coded('ETIMEDOUT', { syscall: 'read', errno: -110 }),
];

const undated = (text: string): string => text.replace(/^Date: .*$/gm, 'Date: -');

describe('A response that the app destroys after end()', () => {
  let gated: GatedServer;
  afterEach(() => gated.stop());

  for (const [version, request] of Object.entries(REQUESTS)) {
    for (const [what, answer] of Object.entries(ANSWERS)) {
      for (const [how, destroy] of Object.entries(DESTRUCTIONS)) {
        it(`G8: ${version}, ${what}, ${how}: the same bytes as without`, async () => {
          const plain = await serve((_req, res) => {
            answer(res);
            destroy(res);
          });
          const expected = await exchange(plain.port, request);
          await plain.close();
          gated = await new GatedServer().start((res, { labels }) => {
            labels.add('secret');
            answer(res);
            destroy(res);
          });
          const wire = gated.request(request);
          await gated.store.called();
          await gated.roundTrip();
          expect(wire.received, 'G1').to.equal('');
          gated.store.succeed();
          expect(undated(await wire.closed())).to.equal(undated(expected.text));
          expect(wire.ending).to.equal(expected.ending);
        });
      }
    }

    for (const [how, destroy] of Object.entries(DESTRUCTIONS)) {
      it(`G2: ${version}, ${how}: the 403 if its label cannot be stored`, async () => {
        gated = await new GatedServer().start((res, { labels }) => {
          labels.add('secret');
          res.writeHead(500).end('the error');
          destroy(res);
        });
        const wire = gated.request(request);
        await gated.store.called();
        gated.store.fail();
        expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 [\s\S]*persist_failed"\}$/);
      });
    }

    for (const systemError of SYSTEM) {
      it(`P45: ${version}: an error of the connection (${systemError.message}) ends it at once`, async () => {
        gated = await new GatedServer().start((res, { labels }) => {
          labels.add('secret');
          res.end('answer');
          res.req.socket.destroy(systemError);
        });
        const wire = gated.request(request);
        expect(await wire.closed()).to.equal('');
        gated.store.succeed();
        await gated.roundTrip();
        expect(gated.store.appends).to.deep.equal([['secret']]);
      });
    }
  }

  it('G8: the error of destroy() is emitted once the response has left', async () => {
    let heard: unknown;
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.req.socket.once('error', (reason) => {
        heard = reason;
      });
      res.end('answer');
      res.destroy(error());
      expect(res.errored).to.include({ message: 'of the app' });
    });
    const wire = gated.request();
    await gated.store.called();
    await gated.roundTrip();
    expect(heard).to.equal(undefined);
    gated.store.succeed();
    expect(await wire.closed()).to.match(/answer$/);
    await gated.roundTrip();
    expect(heard).to.include({ message: 'of the app' });
  });

  it('G8: Hono’s adapter answers its own errors with a 500, held or not', async () => {
    // a body that was read before cannot be sent
    const listener = getRequestListener(async () => {
      const response = new Response('read');
      await response.text();
      return response;
    });
    const silenced = console.error;
    console.error = () => {};
    try {
      const plain = await serve(listener);
      const expected = await exchange(plain.port, get('/'));
      await plain.close();
      expect(expected.text).to.match(/^HTTP\/1\.1 500 /);
      gated = await new GatedServer().start((res, { labels }, req) => {
        labels.add('secret');
        return listener(req, res);
      });
      const wire = gated.request(get('/'));
      await gated.store.called();
      gated.store.succeed();
      expect(undated(await wire.closed())).to.equal(undated(expected.text));
    } finally {
      console.error = silenced;
    }
  });
});
