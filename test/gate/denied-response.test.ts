import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import compression from 'compression';
import express, { type Request, type Response } from 'express';
import onHeaders from 'on-headers';
import { type DenialRenderer, type RequestSecurity, taint } from '../../lib/index.js';
import { eventually, thrownBy } from '../support/eventually.js';
import { GatedServer } from '../support/gated-server.js';
import { get, type Wire } from '../support/raw-http.js';

const DENIED = { code: 'denied', reason: 'for the test' };

/** What a client gets that is denied: the whole of the last response on a connection. */
const denialOf = (code: string): RegExp =>
  new RegExp(`HTTP/1\\.1 403 Forbidden\\r\\n((?!HTTP/1)[\\s\\S])*\\r\\n\\r\\n\\{"type"[^{}]*"code":"${code}"\\}$`);

/** The status codes of the responses in a text, in their order. */
const statuses = (text: string): number[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));

/** An exchange whose second request waits for its turn in a pipeline. */
interface Pipelined {
  readonly wire: Wire;
  readonly first: ServerResponse;
  readonly second: ServerResponse;
}

describe('Denied responses', () => {
  let gated: GatedServer;

  afterEach(() => gated.stop());

  /** Sends two requests in one packet; the first one is not answered, the second one is handled. */
  async function pipelined(handle: (res: ServerResponse, security: RequestSecurity) => void): Promise<Pipelined> {
    let first: ServerResponse | undefined;
    let arrived: (second: ServerResponse) => void = () => {};
    const second = new Promise<ServerResponse>((resolve) => {
      arrived = resolve;
    });
    gated = await new GatedServer().start((res, security, req) => {
      if (req.url === '/slow') {
        first = res;
        return;
      }
      handle(res, security);
      arrived(res);
    });
    const wire = gated.request(get('/slow') + get('/b', { Connection: 'close' }));
    const { socket } = await second.then((res) => ({ socket: res.socket }));
    expect(socket).to.equal(null);
    if (!first) throw new Error('The requests were not handled in their order.');
    return { wire, first, second: await second };
  }

  it('G2, G3: a pipelined response denied after a write, then ended', async () => {
    const { wire, first } = await pipelined((res, security) => {
      res.write('secret');
      security.deny(DENIED);
      res.end('more');
    });
    first.end('first');
    const text = await wire.closed();
    expect(statuses(text)).to.deep.equal([200, 403]);
    expect(text)
      .to.match(/\r\n\r\nfirstHTTP/)
      .and.to.match(denialOf('denied'))
      .and.not.to.match(/secret|more/);
  });

  it('G2: a pipelined response whose append failed, then ended', async () => {
    const { wire, first, second } = await pipelined((res, { labels }) => {
      labels.add('secret');
      res.write('secret');
    });
    await gated.store.called();
    gated.store.fail();
    await gated.roundTrip();
    second.end('more');
    first.end('first');
    const text = await wire.closed();
    expect(statuses(text)).to.deep.equal([200, 403]);
    expect(text)
      .to.match(/\r\n\r\nfirstHTTP/)
      .and.to.match(denialOf('session\\.persist_failed'))
      .and.not.to.match(/secret|more/);
  });

  it('P12: end callbacks wait for the denial, which waits for its turn', async () => {
    const events: string[] = [];
    const { wire, first, second } = await pipelined((res, security) => {
      for (const event of ['finish', 'close']) res.on(event, () => events.push(event));
      res.write('secret', () => events.push('write'));
      security.deny(DENIED);
      res.end('more', () => events.push('end'));
    });
    await gated.roundTrip();
    expect(events).to.deep.equal([]);
    first.end('first');
    await wire.closed();
    if (!second.closed) await once(second, 'close');
    expect(events).to.have.members(['write', 'finish', 'end', 'close']);
    expect([events[0], events.at(-1)]).to.deep.equal(['write', 'close']);
  });

  it('G2: a denied pipelined stream that never ends: its source is ended', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    const { wire, first } = await pipelined((res, { labels }) => {
      closed = once(res, 'close');
      labels.add('secret');
      res.write('data: 1\n\n');
    });
    await gated.store.called();
    gated.store.fail();
    await gated.roundTrip();
    first.end('first');
    const text = await wire.closed();
    expect(text).to.match(denialOf('session\\.persist_failed')).and.not.to.contain('data');
    expect(text.slice(text.lastIndexOf('HTTP/1.1'))).to.contain('\r\nConnection: close\r\n');
    expect(wire.ending).to.equal('end');
    await closed;
  });

  for (const ending of ['ends', 'does not end'] as const) {
    it(`G1, G3: a denial arrives though the handler ${ending} its held response`, async () => {
      gated = await new GatedServer().start((res, security) => {
        security.labels.add('secret');
        res.write('secret');
        security.deny(DENIED);
        if (ending === 'ends') res.end('more');
      });
      const wire = gated.request();
      await gated.store.called();
      await gated.roundTrip();
      expect(wire.received).to.equal('');
      gated.store.succeed();
      expect(await wire.closed())
        .to.match(denialOf('denied'))
        .and.not.to.match(/secret|more/);
      expect(wire.ending).to.equal('end');
    });
  }

  it('G2: a denial keeps Connection: close, which Express set after a throw', async () => {
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.end('answer');
      res.req.socket.destroy();
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    gated.store.fail();
    expect(await wire.closed())
      .to.match(denialOf('session\\.persist_failed'))
      .and.include('\r\nConnection: close\r\n');
  });

  for (const [how, refuse] of [
    ['by a failed append', () => gated.store.fail()],
    ['by deny()', (security: RequestSecurity) => security.deny(DENIED)],
  ] as const) {
    it(`P37: a producer that waits for drain when denied ${how} goes on`, async () => {
      let security: RequestSecurity | undefined;
      let over = false;
      gated = await new GatedServer().start(async (res, given) => {
        security = given;
        given.labels.add('secret');
        while (res.write(Buffer.alloc(65_536)));
        await once(res, 'drain');
        res.end();
        over = true;
      });
      const wire = gated.request();
      await gated.store.called();
      refuse(security as RequestSecurity);
      gated.store.fail();
      expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 /);
      await eventually(() => over);
    });
  }

  it('P62: a denial being rendered survives closeAllConnections()', async () => {
    let rendered: (() => void) | undefined;
    const denial: DenialRenderer = (_violation, _req, res) => {
      rendered = () => void res.send('rendered');
    };
    const app = express();
    gated = await new GatedServer().start(
      (res, security, req) => {
        // the renderer has Express's response
        Object.setPrototypeOf(res, app.response);
        Object.setPrototypeOf(req, app.request);
        security.deny(DENIED);
      },
      { denial },
    );
    const wire = gated.request(get('/'));
    await eventually(() => rendered !== undefined);
    gated.server.closeAllConnections();
    await gated.roundTrip();
    expect(wire.ending).to.equal(undefined);
    rendered?.();
    expect(await wire.closed()).to.match(/rendered$/);
    expect(wire.ending).to.equal('end');
  });

  const guard = taint('secret');
  const refusals: Readonly<Record<string, (req: Request, res: Response) => void>> = {
    'deny()': (req) => req.security.deny(DENIED),
    'taint()': (req, res) =>
      void guard(req, res, () => {
        throw new Error('The handler ran.');
      }),
  };
  for (const [name, refuse] of Object.entries(refusals)) {
    it(`G2, P9–P11: a denial by ${name} has nothing of wrappers or the handler`, async () => {
      const compress = compression({ threshold: 0 });
      gated = await new GatedServer().start((plain, _security, message) => {
        const [req, res] = [message as Request, plain as Response];
        compress(req, res, () => {
          onHeaders(res, () => void res.setHeader('Set-Cookie', 'bag=of-the-handler'));
          res.statusMessage = 'of-the-handler';
          res.setHeader('Trailer', 'X-Trailer');
          res.addTrailers({ 'X-Trailer': 'of-the-handler' });
          refuse(req, res);
        });
      });
      const wire = gated.request(get('/', { 'Accept-Encoding': 'gzip', TE: 'trailers', Connection: 'close' }));
      if (name === 'taint()') {
        await gated.store.called();
        gated.store.fail();
      }
      const text = await wire.closed();
      expect(text)
        .to.match(/^HTTP\/1\.1 403 Forbidden\r\n/)
        .and.to.match(denialOf(name === 'taint()' ? 'session\\.persist_failed' : 'denied'))
        .and.not.to.match(/of-the-handler|trailer|content-encoding|transfer-encoding|set-cookie/i);
    });
  }

  for (const [sent, later] of [
    [200, 403],
    [401, 200],
  ] as const) {
    it(`G2, G3: the status of the head (${sent}) counts, and not ${later}`, async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        res.writeHead(sent);
        res.statusCode = later;
        res.end('of-the-handler');
      });
      const wire = gated.request();
      await gated.store.called();
      gated.store.fail();
      const text = await wire.closed();
      if (sent === 200)
        expect(text).to.match(denialOf('session\\.persist_failed')).and.not.to.contain('of-the-handler');
      else expect(text).to.match(/^HTTP\/1\.1 401 [\s\S]*of-the-handler/);
    });
  }

  it('P24: writableFinished is true once the held response has left', async () => {
    const finished: boolean[] = [];
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      finished.push(res.writableFinished, res.end('answer').writableFinished);
      res.on('finish', () => finished.push(res.writableFinished));
    });
    const wire = gated.request();
    await gated.store.called();
    expect(finished).to.deep.equal([false, false]);
    gated.store.succeed();
    await wire.closed();
    expect(finished).to.deep.equal([false, false, true]);
  });

  it('G1: a second request object of the same request shares its session', async () => {
    gated = await new GatedServer().start((res, { labels }, req) => {
      labels.add('first');
      const again = secondObjectFor(req);
      gated.middleware(again, res as Response, () => {
        again.security.labels.add('second');
        res.end('answer');
      });
    });
    const wire = gated.request();
    await gated.store.called();
    await gated.roundTrip();
    expect(wire.received).to.equal('');
    gated.store.succeed();
    expect(await wire.closed()).to.match(/answer$/);
    expect(gated.store.appends).to.deep.equal([['first', 'second']]);
  });

  it('a second request object for one response: labels.add() throws', async () => {
    let conflict: unknown;
    gated = await new GatedServer().start((res, { labels }, req) => {
      labels.add('first');
      const again = secondObjectFor(req, '_readableState');
      gated.middleware(again, res as Response, () => {
        conflict = thrownBy(() => again.security.labels.add('second'));
        res.end('answer');
      });
    });
    const wire = gated.request();
    await gated.store.called();
    await gated.roundTrip();
    expect(conflict).to.include({ code: 'middleware.conflict' });
    expect(wire.received).to.equal('');
    gated.store.succeed();
    expect(await wire.closed()).to.match(/answer$/);
    expect(gated.store.appends).to.deep.equal([['first', 'second']]);
  });
});

/** A request object of its own for the same request, as some proxies and test tools make one. */
function secondObjectFor(req: IncomingMessage, ...without: readonly string[]): Request {
  const left = new Set(['security', ...without]);
  const members = Object.entries(Object.getOwnPropertyDescriptors(req)).filter(([name]) => !left.has(name));
  return Object.create(Object.getPrototypeOf(req), Object.fromEntries(members)) as Request;
}
