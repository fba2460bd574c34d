import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { GatedServer } from '../support/gated-server.js';
import { exchange, get, serve, type Wire } from '../support/raw-http.js';

const HTTP_1_0 = 'GET / HTTP/1.0\r\n\r\n';

describe('Ending while a response is held', () => {
  let gated: GatedServer;
  afterEach(() => gated.stop());

  describe('a close-delimited response whose first part has left', () => {
    let response: ServerResponse;
    let wire: Wire;

    async function heldAfterItsBeginning(): Promise<Socket> {
      let taint: () => void = () => {};
      gated = await new GatedServer().start((res, { labels }) => {
        response = res;
        res.write('beginning');
        taint = () => labels.add('secret');
      });
      wire = gated.request(HTTP_1_0);
      await wire.until(/beginning$/);
      taint();
      response.end(' and end');
      await gated.store.called();
      return response.req.socket;
    }

    const losses: Readonly<Record<string, (socket: Socket) => void>> = {
      'the client closes its half': () => wire.socket.end(),
      'the client sends what is no request': () => wire.send('\x01\r\n\r\n'),
      'the connection is reset': (socket) =>
        socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })),
    };
    for (const [loss, lose] of Object.entries(losses)) {
      it(`G2: ${loss}: a reset, so the response does not look complete`, async () => {
        lose(await heldAfterItsBeginning());
        expect(await wire.closed()).to.match(/beginning$/);
        expect(wire.ending).to.equal('ECONNRESET');
        gated.store.fail();
        await gated.roundTrip();
        expect(gated.store.appends).to.deep.equal([['secret']]);
      });
    }

    const ends: Readonly<Record<string, (socket: Socket) => void>> = {
      'socket.end()': (socket) => socket.end(),
      'socket.destroySoon()': (socket) => socket.destroySoon(),
      'socket.destroy() with an error of the app': (socket) => socket.destroy(new Error('of the app')),
    };
    for (const [call, end] of Object.entries(ends)) {
      it(`G8: ${call} waits for the append, and the whole body arrives`, async () => {
        end(await heldAfterItsBeginning());
        gated.store.succeed();
        expect(await wire.closed()).to.match(/beginning and end$/);
        expect(wire.ending).to.equal('end');
      });

      it(`G2: ${call} waits for an append that fails, and is a reset`, async () => {
        end(await heldAfterItsBeginning());
        gated.store.fail();
        expect(await wire.closed()).to.match(/beginning$/);
        expect(wire.ending).to.equal('ECONNRESET');
      });
    }
  });

  for (const method of ['end', 'destroySoon'] as const) {
    describe(`a handler that ends the response and then calls socket.${method}()`, () => {
      let wire: Wire;

      beforeEach(async () => {
        gated = await new GatedServer().start((res, { labels }) => {
          labels.add('secret');
          res.end('answer');
          res.req.socket[method]();
        });
        wire = gated.request(get('/'));
        await gated.store.called();
      });

      it('P62: the response arrives whole, then the connection ends', async () => {
        gated.store.succeed();
        expect(await wire.closed()).to.match(/answer$/);
        expect(wire.ending).to.equal('end');
      });

      it('G2: the client gets the 403 if the labels cannot be saved', async () => {
        gated.store.fail();
        expect(await wire.closed())
          .to.match(/^HTTP\/1\.1 403 .*persist_failed"\}$/s)
          .and.not.include('answer');
      });
    });
  }

  describe('a deferred end', () => {
    it('G8: takes effect where the framing was unknown when the hold began', async () => {
      let called = false;
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        res.writeProcessing();
        res.write('body');
        res.req.socket.end('tail', () => {
          called = true;
        });
      });
      const wire = gated.request(HTTP_1_0);
      await gated.store.called();
      gated.store.succeed();
      expect(await wire.closed()).to.match(/bodytail$/);
      expect(called).to.equal(true);
    });

    it('G7: with invalid arguments costs its own connection, not the process', async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        res.write('x');
        setImmediate(() => {
          labels.add('secret');
          res.req.socket.end({} as never);
        });
      });
      const wire = gated.request(HTTP_1_0);
      await gated.store.called();
      gated.store.succeed();
      await wire.closed();
      expect(await gated.roundTrip()).to.match(/probe answered$/);
    });

    for (const outcome of ['succeed', 'fail'] as const) {
      it(`G7: calls every end callback when the append ${outcome}s`, async () => {
        const told: string[] = [];
        gated = await new GatedServer().start((res, { labels }) => {
          res.write('abc');
          setImmediate(() => {
            labels.add('secret');
            res.write('def');
            res.req.socket.end(() => told.push('first'));
            res.req.socket.end(() => told.push('second'));
          });
        });
        const wire = gated.request(HTTP_1_0);
        await gated.store.called();
        gated.store[outcome]();
        await wire.closed();
        while (told.length < 2) await gated.roundTrip();
        expect(told).to.have.members(['first', 'second']);
        expect(wire.ending).to.equal(outcome === 'succeed' ? 'end' : 'ECONNRESET');
      });
    }

    it('G8: waits for a half-closed client if the server allows half-open', async () => {
      let answer: () => void = () => {};
      gated = await new GatedServer().start((res, { labels }) => {
        answer = () => {
          labels.add('secret');
          res.end('answer');
          res.req.socket.end();
        };
      });
      Object.assign(gated.server, { httpAllowHalfOpen: true });
      const wire = gated.request(get('/'));
      wire.socket.end();
      await gated.roundTrip();
      answer();
      await gated.store.called();
      gated.store.succeed();
      expect(await wire.closed()).to.match(/answer$/);
    });
  });

  for (const outcome of ['succeed', 'fail'] as const) {
    it(`G1: destroying a socket after the last byte waits (append ${outcome}s)`, async () => {
      let end: () => void = () => {};
      gated = await new GatedServer().start((res, { labels }) => {
        res.write('body');
        end = () => {
          labels.add('secret');
          res.end();
          res.req.socket.destroy();
        };
      });
      const wire = gated.request(HTTP_1_0);
      await wire.until(/body$/);
      end();
      await gated.store.called();
      await gated.roundTrip();
      expect(wire.ending).to.equal(undefined);
      gated.store[outcome]();
      expect(await wire.closed()).to.match(/body$/);
      expect(wire.ending).to.equal(outcome === 'succeed' ? 'end' : 'ECONNRESET');
    });
  }

  it('P45: a callback with the name of a listener of Node is called on loss', async () => {
    const told: unknown[] = [];
    function onFinish(error?: Error | null): void {
      told.push((error as NodeJS.ErrnoException | undefined)?.code);
    }
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.write('x', onFinish.bind(null));
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    wire.socket.resetAndDestroy();
    await wire.closed();
    await gated.roundTrip();
    gated.store.succeed();
    for (let n = 0; n < 50 && told.length === 0; n++) await gated.roundTrip();
    expect(told).to.deep.equal(['ERR_STREAM_DESTROYED']);
  });

  for (const [call, end] of Object.entries({
    'res.destroy()': (res: ServerResponse) => res.destroy(),
    'socket.destroy()': (res: ServerResponse) => res.req.socket.destroy(),
    'socket.end()': (res: ServerResponse) => res.req.socket.end(),
  })) {
    it(`P62: a head flushed after ${call} is lost, as without a hold`, async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        res.writeHead(200);
        labels.add('secret');
        end(res);
        res.flushHeaders();
      });
      const wire = gated.request(HTTP_1_0);
      await gated.store.called();
      gated.store.succeed();
      expect(await wire.closed()).to.equal('');
    });
  }

  it('P62: what is sent after socket.end() is lost, as without a hold', async () => {
    const sendAroundEnd = (res: ServerResponse): void => {
      res.sendDate = false;
      res.write('before');
      res.req.socket.end();
      res.write('after');
    };
    // Node 20 to 24 send the first chunk at once; Node 26 waits until the end of the tick and then loses it as well
    const plain = await serve((_req, res) => sendAroundEnd(res));
    const expected = await exchange(plain.port, get('/'));
    await plain.close();
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      sendAroundEnd(res);
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    gated.store.succeed();
    expect({ text: await wire.closed(), ending: wire.ending }).to.deep.equal(expected);
    expect(expected.text).to.not.include('after');
  });

  it('G8: server.close() lets a later request on the connection finish', async () => {
    let younger: ServerResponse | undefined;
    gated = await new GatedServer().start((res, { labels }, { url }) => {
      if (url === '/younger') {
        younger = res;
        return;
      }
      labels.add('secret');
      res.end('first answer');
    });
    const wire = gated.request(get('/') + get('/younger', { Connection: 'close' }));
    await gated.store.called();
    await gated.roundTrip();
    gated.server.close();
    gated.store.succeed();
    await wire.until(/first answer/);
    younger?.end('second answer');
    expect(await wire.closed()).to.match(/first answer.*second answer$/s);
    if (gated.server.listening) await once(gated.server, 'close');
  });

  for (const [interim, send] of Object.entries({
    102: (res: ServerResponse) => res.writeProcessing(),
    103: (res: ServerResponse) => res.writeEarlyHints({ link: '</style.css>; rel=preload' }),
  })) {
    it(`G3: a 401 after a held ${interim} is a denial, and stays on failure`, async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        send(res);
        res.writeHead(401, { 'WWW-Authenticate': 'Bearer' }).end('own denial');
      });
      const wire = gated.request(get('/', { Connection: 'close' }));
      await gated.store.called();
      gated.store.fail();
      expect(await wire.closed()).to.match(/\r\n\r\nHTTP\/1\.1 401 .*WWW-Authenticate: Bearer.*own denial/s);
      expect(gated.alarms).to.have.length(1);
      expect(gated.alarms[0]).to.include({ alarm: 'session_store_failure', decisionWasAllow: false });
    });
  }

  it('G7: a corked end that is cut emits no finish', async () => {
    const events: string[] = [];
    let response: ServerResponse | undefined;
    let taintAndEnd: () => void = () => {};
    gated = await new GatedServer().start((res, { labels }) => {
      response = res;
      for (const event of ['finish', 'close']) res.on(event, () => events.push(event));
      res.write('out');
      taintAndEnd = () => {
        labels.add('secret');
        res.cork();
        res.write('corked');
        res.end();
      };
    });
    const wire = gated.request(get('/'));
    await wire.until(/out/);
    taintAndEnd();
    await gated.store.called();
    gated.store.fail();
    await wire.closed();
    if (!response?.closed) await once(response as ServerResponse, 'close');
    await gated.roundTrip();
    expect(events).to.deep.equal(['close']);
  });

  describe('a label that comes in the middle of a flush', () => {
    /** The second of two pipelined responses writes three pieces before its turn, and is labelled when the first one leaves. */
    async function heldInItsMiddle(): Promise<Wire> {
      let first: ServerResponse | undefined;
      let taint: () => void = () => {};
      gated = await new GatedServer().start((res, { labels }, { url }) => {
        if (url === '/first') {
          first = res;
          return;
        }
        taint = () => labels.add('secret');
        for (const piece of ['[A]', '[B]', '[C]']) res.write(piece);
        setImmediate(() => res.end('[D]'));
      });
      gated.server.on('connection', (socket: Socket) => {
        const { write } = socket;
        socket.write = ((...args: Parameters<typeof write>) => {
          const accepted = write.apply(socket, args);
          if (String(args[0]) === '[A]') taint();
          return accepted;
        }) as typeof write;
      });
      const wire = gated.request(get('/first') + get('/second', { Connection: 'close' }));
      await gated.roundTrip();
      first?.end('first answer');
      await gated.store.called();
      await gated.roundTrip();
      expect(wire.received)
        .to.match(/\[A\]/)
        .and.not.match(/\[[BCD]\]/);
      return wire;
    }

    it('G1: holds the rest of the flush, which leaves once', async () => {
      const wire = await heldInItsMiddle();
      gated.store.succeed();
      expect((await wire.closed()).match(/\[.\]/g)).to.deep.equal(['[A]', '[B]', '[C]', '[D]']);
      expect(wire.received).to.match(/0\r\n\r\n$/);
    });

    it('G2: cuts the connection if it cannot be saved, as the head is out', async () => {
      const wire = await heldInItsMiddle();
      gated.store.fail();
      expect((await wire.closed()).match(/HTTP\/1\.1 \d+|\[.\]/g)).to.deep.equal([
        'HTTP/1.1 200',
        'HTTP/1.1 200',
        '[A]',
      ]);
    });
  });
});
