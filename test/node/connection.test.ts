import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import tls from 'node:tls';
import { expect } from 'chai';
import { type Interceptor, interceptMethods, removeInterceptor } from '../../lib/node/method-interceptor.js';
import { CertificateAuthority } from '../support/certificates.js';
import { GatedServer } from '../support/gated-server.js';
import { get, type Wire } from '../support/raw-http.js';

/** For how long the gate puts the destruction of a connection off (`DeferredEnd`). */
const LIMIT_MS = 2_000;

const HTTP10 = get('/').replace('HTTP/1.1', 'HTTP/1.0');

/** What a client gets over a stream that is not a TCP socket. */
class Client {
  received = '';
  /** `end` for a clean one, else the code of the error. */
  ending: string | undefined;
  readonly closed: Promise<void>;
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
    });
    stream.on('end', () => {
      this.ending ??= 'end';
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.ending ??= error.code ?? 'error';
    });
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.ending ??= 'closed';
        resolve();
      });
    });
    stream.write(HTTP10);
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.received)) await Promise.race([once(this.#stream, 'data'), this.closed]);
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

/** What the test makes a response do, one step after the other. */
interface Steps {
  readonly taint: () => void;
  readonly response: ServerResponse;
}

describe('The connection below a held response', () => {
  let gated: GatedServer;
  let steps: Steps;
  const cleanUp: Array<() => unknown> = [];

  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
    await gated.stop();
  });

  /** A server whose handler writes a piece and leaves the rest to the test. */
  const started = async (): Promise<void> => {
    gated = await new GatedServer().start((res, { labels }) => {
      steps = { response: res, taint: () => void labels.add('secret') };
      res.write('clean');
    });
  };

  /** Lets the append of a label fail after the client has received a clean piece. */
  const cutAfterClean = async (opened: Client): Promise<void> => {
    await opened.until(/clean/);
    steps.taint();
    steps.response.end('tainted');
    await gated.store.called();
    gated.store.fail();
    await opened.closed;
    expect(opened.received).to.match(/clean$/);
  };

  /** Lets `listener` serve its connections with the gated server; returns the client of one of them. */
  async function client(listener: net.Server, path: string | number, connect: () => Duplex): Promise<Client> {
    listener.listen(path);
    await once(listener, 'listening');
    const opened = new Client(connect());
    cleanUp.push(
      () => listener.close(),
      () => opened.destroy(),
    );
    return opened;
  }

  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'apl-session-'));
    cleanUp.push(() => rmSync(made, { recursive: true }));
    return made;
  };

  /** Connections of other kinds than TCP, all of HTTP/1.0, so that their end is the end of the response. */
  const kinds: Readonly<Record<string, () => Promise<Client>>> = {
    'a Unix socket': () => {
      const path = join(folder(), 'socket');
      const listener = net.createServer({ allowHalfOpen: true }, (socket) => gated.server.emit('connection', socket));
      return client(listener, path, () => net.connect(path));
    },
    'a duplex stream': async () => {
      const [near, far] = duplexPair();
      // a pair does not tell one side of the end or the destruction of the other, as a transport would
      near.once('end', () => near.end());
      far.once('close', () => near.destroy());
      gated.server.emit('connection', far);
      return new Client(near);
    },
  };
  for (const [kind, connect] of Object.entries(kinds)) {
    it(`G2: a cut on ${kind}, which has no reset, ends the connection`, async () => {
      await started();
      const opened = await connect();
      await cutAfterClean(opened);
      expect(gated.alarms).to.have.length(1);
    });

    it(`G1: an end on ${kind} waits for the append`, async () => {
      await started();
      const opened = await connect();
      await opened.until(/clean/);
      steps.taint();
      steps.response.end();
      await gated.store.called();
      await gated.roundTrip();
      expect(opened.ending).to.equal(undefined);
      gated.store.succeed();
      await opened.closed;
      expect(opened.ending).to.equal('end');
    });

    it(`G2: a denied stream on ${kind} gets the denial and an end`, async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        res.write('secret');
      });
      const opened = await connect();
      await gated.store.called();
      gated.store.fail();
      await opened.closed;
      expect(opened.received).to.match(/^HTTP\/1\.1 403 [\s\S]*persist_failed"\}$/);
      expect(opened.ending).to.equal('end');
    });

    it(`P62: a response on ${kind} survives destroy() of its connection`, async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        res.end('answer');
        res.req.socket.destroy();
      });
      const opened = await connect();
      await gated.store.called();
      gated.store.succeed();
      await opened.closed;
      expect(opened.received).to.match(/answer$/);
    });
  }

  it('G2: a cut over TLS is not a clean end for the client', async () => {
    await started();
    const listener = tls.createServer(new CertificateAuthority('tests').issue({ commonName: 'localhost' }), (socket) =>
      gated.server.emit('connection', socket),
    );
    const opened = await client(listener, 0, () =>
      tls.connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', rejectUnauthorized: false }),
    );
    await cutAfterClean(opened);
    expect(opened.ending).to.equal('ECONNRESET');
  });

  for (const [outcome, ending] of [
    ['succeed', 'end'],
    ['fail', 'ECONNRESET'],
  ] as const) {
    for (const turn of ['first', 'second'] as const) {
      it(`G1, G2: a close-delimited end is held (append ${outcome}s, ${turn})`, async () => {
        let first: ServerResponse | undefined;
        gated = await new GatedServer().start((res, { labels }, req) => {
          if (req.url === '/slow') {
            first = res;
            return;
          }
          steps = { response: res, taint: () => void labels.add('secret') };
          if (turn === 'second') labels.add('early');
          res.write('all of it');
          first?.end('first');
        });
        const wire = gated.request(turn === 'first' ? HTTP10 : get('/slow') + HTTP10);
        if (turn === 'second') {
          await gated.store.called();
          gated.store.succeed();
        }
        await wire.until(/all of it/);
        steps.taint();
        steps.response.end();
        await gated.store.called();
        await gated.roundTrip();
        expect(wire.ending).to.equal(undefined);
        gated.store[outcome]();
        expect(await wire.closed()).to.match(/all of it$/);
        expect(wire.ending).to.equal(ending);
      });
    }
  }

  for (const close of ['close', 'closeAllConnections'] as const) {
    it(`G1, G2: a close-delimited end waits also on server.${close}()`, async () => {
      await started();
      const wire = gated.request(HTTP10);
      await wire.until(/clean/);
      steps.taint();
      steps.response.end();
      await gated.store.called();
      // the server stops listening, so another connection has to be there for the round trip
      const probe = gated.request('');
      await once(probe.socket, 'connect');
      gated.server[close]();
      probe.send(get('/probe', { Connection: 'close' }));
      await probe.closed();
      expect(wire.ending).to.equal(undefined);
      gated.store.fail();
      expect(await wire.closed()).to.match(/clean$/);
      expect(wire.ending).to.equal('ECONNRESET');
    });
  }

  it('G8: pipelined responses leave one interceptor on their connection', async () => {
    const responses: ServerResponse[] = [];
    gated = await new GatedServer().start((res, { labels }, req) => {
      responses.push(res);
      labels.add('secret');
      res.end(req.url);
    });
    const urls = ['/1', '/2', '/3', '/4'];
    const wire = gated.request(urls.map((url) => get(url)).join(''));
    for (const _ of urls) {
      await gated.store.called();
      gated.store.succeed();
    }
    await wire.until(/\/4$/);
    for (const res of responses) if (!res.closed) await once(res, 'close');
    const socket = responses[0]?.req.socket as Socket;
    expect(['destroy', 'destroySoon', 'end'].filter((name) => Object.hasOwn(socket, name))).to.deep.equal([
      'destroy',
      'end',
    ]);
    let depth = 0;
    const counting: Interceptor = {
      onCall: ({ proceed }) => {
        depth += 1;
        return proceed();
      },
    };
    interceptMethods(socket, ['destroy'], counting);
    socket.destroy();
    removeInterceptor(socket, counting);
    expect({ depth, destroyed: socket.destroyed }).to.deep.equal({ depth: 1, destroyed: true });
  });

  it('G8: overlapping interceptors of one method do not pile up', () => {
    const called: string[] = [];
    const object = { end: (): unknown => called.push('own') };
    const frontNumber = (n: number): Interceptor => ({
      onCall: ({ proceed }) => {
        called.push(`front ${n}`);
        return proceed();
      },
    });
    let last = frontNumber(0);
    for (let n = 1; n < 50_000; n++) {
      const front = frontNumber(n);
      interceptMethods(object, ['end'], front);
      removeInterceptor(object, last);
      last = front;
    }
    object.end();
    removeInterceptor(object, last);
    object.end();
    expect(called).to.deep.equal(['front 49999', 'own', 'own']);
  });

  it('G1: an interceptor runs though the original method was put back', () => {
    const called: string[] = [];
    const own = (): unknown => called.push('own');
    const object = { end: own };
    const front: Interceptor = { onCall: () => called.push('front') };
    interceptMethods(object, ['end'], front);
    removeInterceptor(object, front);
    object.end = own;
    interceptMethods(object, ['end'], front);
    object.end();
    expect(called).to.deep.equal(['front']);
  });

  it('P62: a pipelined response survives destroy() after a late turn', async () => {
    let second: ServerResponse | undefined;
    gated = await new GatedServer().start((res, { labels }, req) => {
      if (req.url === '/slow') {
        first = res;
        return;
      }
      second = res;
      labels.add('secret');
      res.end('answer');
    });
    let first: ServerResponse | undefined;
    const wire = gated.request(get('/slow') + get('/b'));
    await gated.store.called();
    first?.end('first');
    await wire.until(/first$/);
    expect(second?.socket).to.be.an('object');
    second?.socket?.destroy();
    await gated.roundTrip();
    gated.store.succeed();
    expect(await wire.closed()).to.match(/firstHTTP\/1\.1 200 OK\r\n[\s\S]*answer$/);
  });

  it('G7: many pipelined requests of a lost connection: all appended', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', onWarning);
    cleanUp.push(() => process.off('warning', onWarning));
    const urls = Array.from({ length: 12 }, (_, n) => `/${n}`);
    const arrived = new Promise<void>((resolve) => {
      let count = 0;
      void new GatedServer()
        .start((_res, { labels }, req) => {
          labels.add(`label of ${req.url}`);
          count += 1;
          if (count === urls.length) resolve();
        })
        .then((running) => {
          gated = running;
          gated.request(urls.map((url) => get(url)).join(''));
        });
    });
    await arrived;
    gated.server.closeAllConnections();
    for (const _ of urls) {
      await gated.store.called();
      gated.store.succeed();
    }
    expect(gated.store.appends.flat()).to.have.members(urls.map((url) => `label of ${url}`));
    await gated.roundTrip();
    expect(warnings).not.to.include('MaxListenersExceededWarning');
  });

  it('P62: a client that does not read cannot keep a closing connection', async () => {
    let serverSide: Socket | undefined;
    gated = await new GatedServer().start((res, { labels }, req) => {
      serverSide = req.socket;
      labels.add('secret');
      res.end(Buffer.alloc(50_000_000));
    });
    const wire = gated.request(get('/'));
    wire.socket.pause();
    await gated.store.called();
    gated.server.closeAllConnections();
    const startedMs = performance.now();
    gated.store.succeed();
    await gated.roundTrip();
    if (!serverSide?.destroyed) await once(serverSide as Socket, 'close');
    expect(performance.now() - startedMs).to.be.at.least(LIMIT_MS - 1);
  });

  describe('while labels arrive faster than they are saved', () => {
    let wire: Wire;
    let closed: Promise<unknown>;
    let add: (label: string) => void;

    /** Lets the store answer some times; each time there is a new label before. */
    const goOn = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n++) {
        await gated.store.called();
        add(`label ${gated.store.appends.length}`);
        gated.store.succeed();
      }
      await gated.store.called();
    };

    beforeEach(async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        closed = once(res, 'close');
        add = (label) => void labels.add(label);
        add('first');
        res.write('held');
      });
      wire = gated.request(get('/'));
      await goOn(3);
    });

    it('G1, P62: a connection that is to be closed is closed', async () => {
      gated.server.closeAllConnections();
      await goOn(3);
      expect(wire.ending).to.equal(undefined);
      await closed;
      expect(await wire.closed()).to.equal('');
    });

    it('P45: close does not wait when the client resets', async () => {
      wire.socket.resetAndDestroy();
      await closed;
      expect(gated.store.appends.at(-1)).to.deep.equal(['label 3']);
    });
  });

  it('G1: nothing follows the 400 that Node sends while a 1xx is held', async () => {
    let response: ServerResponse | undefined;
    gated = await new GatedServer().start((res, { labels }) => {
      response = res;
      labels.add('secret');
      res.writeEarlyHints({ link: '</style.css>; rel=preload' });
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    wire.send('GARBAGE \x00\x01\r\n\r\n');
    await wire.until(/\r\n\r\n$/);
    gated.store.succeed();
    await gated.roundTrip();
    response?.end('late');
    expect(await wire.closed()).to.equal('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
});
