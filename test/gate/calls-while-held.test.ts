import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { type GatedHandler, GatedServer } from '../support/gated-server.js';
import { get, type Wire } from '../support/raw-http.js';

const codeOf = (call: () => unknown): string | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

describe('A held response looks like one that has accepted the data', () => {
  let gated: GatedServer;

  afterEach(() => gated.stop());

  /** Runs `use` on a response that holds a label, and releases it. */
  async function held(use: (res: ServerResponse) => unknown, request?: string): Promise<string> {
    let failure: unknown;
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      try {
        use(res);
      } catch (error) {
        failure = error;
        res.destroy();
      }
    });
    const wire = gated.request(request);
    await gated.store.called();
    gated.store.succeed();
    const text = await wire.closed();
    if (failure) throw failure;
    return text;
  }

  it('P16–P18: returns this from writeHead and end, a boolean from write', async () => {
    await held((res) => {
      expect(res.writeHead(200)).to.equal(res);
      res.flushHeaders();
      expect(res.write('a')).to.equal(true);
      expect(res.end('b')).to.equal(res);
      res.once('error', () => {});
      expect(res.write('c')).to.equal(false);
    });
  });

  it('P22–P24: tells the state of a finished response, refuses another head', async () => {
    await held((res) => {
      expect(res).to.include({ headersSent: false, writableEnded: false, finished: false });
      res.setHeader('X-Kept', 'kept');
      res.end('answer');
      expect(res).to.include({ headersSent: true, writableEnded: true, finished: true, closed: false });
      expect(codeOf(() => res.setHeader('X-Late', 'late'))).to.equal('ERR_HTTP_HEADERS_SENT');
      expect(codeOf(() => res.appendHeader('X-Late', 'late'))).to.equal('ERR_HTTP_HEADERS_SENT');
      expect(codeOf(() => res.removeHeader('X-Kept'))).to.equal('ERR_HTTP_HEADERS_SENT');
      expect(codeOf(() => res.writeHead(500))).to.equal('ERR_HTTP_HEADERS_SENT');
    });
  });

  it('P23, P25–P27: a second answer does not change the first', async () => {
    const errors: unknown[] = [];
    const text = await held((res) => {
      res.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code));
      res.statusCode = 201;
      res.end('first');
      res.statusCode = 500;
      expect(res.end()).to.equal(res);
      expect(res.end('second')).to.equal(res);
      res.write('third');
    });
    expect(text).to.match(/^HTTP\/1\.1 201 Created\r\n[\s\S]*Content-Length: 5\r\n[\s\S]*\r\nfirst$/);
    expect(errors).to.deep.equal(['ERR_STREAM_WRITE_AFTER_END', 'ERR_STREAM_WRITE_AFTER_END']);
  });

  it('P25: the callback of a second end runs when the response has left', async () => {
    const calls: unknown[] = [];
    const text = await held((res) => {
      res.end('answer', () => calls.push('first'));
      res.end((error?: Error) => calls.push(error ?? 'second'));
    });
    expect(text).to.match(/answer$/);
    expect(calls).to.deep.equal(['first', 'second']);
  });

  it('P14, P20: throws for a bad status, header, chunk or encoding at the call', async () => {
    const text = await held((res) => {
      expect(codeOf(() => res.writeHead(1000))).to.equal('ERR_HTTP_INVALID_STATUS_CODE');
      expect(codeOf(() => res.writeHead(200, { 'bad name': 'x' }))).to.equal('ERR_INVALID_HTTP_TOKEN');
      expect(codeOf(() => res.writeHead(200, { 'X-Bad': 'x\n' }))).to.equal('ERR_INVALID_CHAR');
      expect(codeOf(() => res.write(null as never))).to.equal('ERR_STREAM_NULL_VALUES');
      expect(codeOf(() => res.write(5 as never))).to.equal('ERR_INVALID_ARG_TYPE');
      res.end('fine');
    });
    expect(text).to.match(/fine\r\n0\r\n\r\n$|fine$/);
  });

  it('P12: calls the callbacks of write and end in the order of Node', async () => {
    const calls: string[] = [];
    const text = await held((res) => {
      res.on('finish', () => calls.push('finish'));
      res.write('a', () => calls.push('a'));
      res.write('b', 'utf8', () => calls.push('b'));
      res.end(() => calls.push('end'));
      res.on('close', () => calls.push('close'));
    });
    // some versions of Node send the writes of one turn as one chunk
    expect(text).to.match(/(1\r\na\r\n1\r\nb|2\r\nab)\r\n0\r\n/);
    expect(calls).to.include.members(['a', 'b', 'finish', 'end', 'close']);
    expect(calls.slice(0, 2)).to.deep.equal(['a', 'b']);
    expect(calls.at(-1)).to.equal('close');
  });

  it('P13: sends strings in the encoding that they were given in', async () => {
    const text = await held((res) => {
      res.setHeader('Content-Length', 9);
      res.write('Zm9v', 'base64');
      res.write('é', 'latin1');
      res.write('626172', 'hex');
      res.end('é', 'utf8');
    });
    expect(text).to.match(/\r\n\r\nfoo\xe9bar\xc3\xa9$/);
  });

  it('P28: frames an answer as Node does, with a length or in chunks', async () => {
    expect(await held((res) => res.end('whole'))).to.match(/Content-Length: 5\r\n\r\nwhole$/);
    await gated.stop();
    const chunked = await held((res) => {
      res.write('in ');
      res.end('parts');
    });
    expect(chunked).to.match(/chunked\r\n\r\n(8\r\nin parts|3\r\nin \r\n5\r\nparts)\r\n0\r\n\r\n$/);
  });

  it('P15: sends what a buffer held when it was written', async () => {
    const text = await held((res) => {
      const buffer = Buffer.from('original');
      res.end(buffer);
      buffer.fill('x');
    });
    expect(text).to.match(/original$/);
  });

  it('P19: sends duplicates and arrays of writeHead as they were given', async () => {
    const text = await held((res) => {
      res.writeHead(200, 'Fine', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-One', '1']);
      res.end();
    });
    expect(text).to.match(/^HTTP\/1\.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-One: 1\r\n/);
  });

  it('P21: sends the status that was set at writeHead', async () => {
    const text = await held((res) => {
      res.statusCode = 202;
      res.end('x');
      res.statusCode = 403;
    });
    expect(text).to.match(/^HTTP\/1\.1 202 Accepted\r\n/);
  });

  it('G3: a status set after writeHead does not make a denial', async () => {
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.end('secret body');
      res.statusCode = 403;
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.fail();
    const text = await wire.closed();
    expect(text).to.contain('session.persist_failed').and.not.to.contain('secret body');
  });

  it('P30, P31: HEAD, 204 and 304 have no body, nor has a denied HEAD', async () => {
    expect(await held((res) => res.end('body'), get('/', { Connection: 'close' }).replace('GET', 'HEAD'))).to.match(
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/,
    );
    await gated.stop();
    expect(await held((res) => res.writeHead(304).end())).to.match(/^HTTP\/1\.1 304 [\s\S]*\r\n\r\n$/);
    await gated.stop();
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.end('body');
    });
    const wire = gated.request(get('/', { Connection: 'close' }).replace('GET', 'HEAD'));
    await gated.store.called();
    gated.store.fail();
    expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*Content-Length: \d+\r\n[\s\S]*\r\n\r\n$/);
  });

  it('P35: trailers set before the end are sent, those after it are not', async () => {
    const text = await held((res) => {
      res.setHeader('Trailer', 'X-Sum');
      res.write('body');
      res.addTrailers({ 'X-Sum': 'before' });
      res.end();
      res.addTrailers({ 'X-Sum': 'after' });
    });
    expect(text).to.match(/0\r\nX-Sum: before\r\n\r\n$/);
  });

  it('P29: a wrong Content-Length throws at the call, as in Node', async () => {
    await held((res) => {
      res.strictContentLength = true;
      res.setHeader('Content-Length', 3);
      expect(codeOf(() => res.end('four'))).to.equal('ERR_HTTP_CONTENT_LENGTH_MISMATCH');
      res.destroy();
    });
  });

  it('P40: leaves no listener on the connection and no hold behind', async () => {
    let after: Record<string, unknown> = {};
    gated = await new GatedServer().start((res, { labels }) => {
      const { socket } = res;
      const before = socket?.eventNames().map((name) => [name, socket.listenerCount(name)]);
      labels.add('secret');
      res.end('x');
      res.on('close', () => {
        after = {
          listeners: socket?.eventNames().map((name) => [name, socket.listenerCount(name)]),
          before,
          finished: res.writableFinished,
          kept: (res as ServerResponse & { outputData: unknown[] }).outputData.length,
          close: res.listenerCount('close'),
        };
      });
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    gated.store.succeed();
    await wire.until(/x$/);
    await gated.roundTrip();
    const names = (list: unknown): string[] =>
      (list as [string, number][])
        .map(String)
        .filter((name) => !name.startsWith('close'))
        .sort();
    expect(names(after['listeners'])).to.deep.equal(names(after['before']));
    expect(after).to.include({ finished: true, kept: 0, close: 2 });
  });

  it('P36: pipelined responses keep their order, also after a denial', async () => {
    for (const outcome of ['succeed', 'fail'] as const) {
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        res.end('first');
      });
      const wire = gated.request(get('/') + get('/probe') + get('/probe', { Connection: 'close' }));
      await gated.store.called();
      await gated.roundTrip();
      expect(wire.received).to.equal('');
      gated.store[outcome]();
      const text = await wire.closed();
      const first =
        outcome === 'succeed' ? /^HTTP\/1\.1 200 OK\r\n[^{]*\r\n\r\nfirst/ : /^HTTP\/1\.1 403 [^{]*\{[^}]*\}/;
      expect(text).to.match(first);
      expect(text.replace(first, '')).to.match(/^(HTTP\/1\.1 200 OK\r\n[^{]*?\r\n\r\nprobe answered){2}$/);
      await gated.stop();
    }
  });

  /** The second response on a connection uses the handler. The first one has been answered, and only its bytes were received. */
  async function heldAsSecond(handler: GatedHandler): Promise<Wire> {
    let answerFirst: () => void = () => {};
    gated = await new GatedServer().start((res, security, req) => {
      if (req.url === '/first') answerFirst = () => res.end('first');
      else handler(res, security, req);
    });
    const wire = gated.request(get('/first') + get('/second', { Connection: 'close' }));
    await gated.store.called();
    answerFirst();
    await wire.until(/first$/);
    await gated.roundTrip();
    expect(wire.received).to.match(/first$/);
    return wire;
  }

  it('G1: a response with a label is held when its turn comes', async () => {
    const wire = await heldAsSecond((res, { labels }) => {
      res.write('clean, but not yet on the wire;');
      labels.add('secret');
      res.end('second');
    });
    gated.store.fail();
    const text = await wire.closed();
    expect(text).to.match(/firstHTTP\/1\.1 403 Forbidden\r\n[\s\S]*session\.persist_failed"\}$/);
    expect(text).not.to.contain('second').and.not.to.contain('clean');
  });

  it('G1: a response written before its label is held when its turn comes', async () => {
    const wire = await heldAsSecond((res, { labels }) => {
      res.end('clean, but not yet on the wire');
      labels.add('secret');
    });
    gated.store.succeed();
    expect(await wire.closed()).to.match(/firstHTTP\/1\.1 200 OK\r\n[\s\S]*not yet on the wire$/);
  });

  it('P4: interim responses that are held leave before the head', async () => {
    const text = await held((res) => {
      res.writeEarlyHints({ link: '</style.css>; rel=preload' });
      res.writeProcessing();
      res.end(Buffer.from('body'));
    });
    expect(text).to.match(/^HTTP\/1\.1 103 [\s\S]*HTTP\/1\.1 102 [\s\S]*HTTP\/1\.1 200 [\s\S]*body$/);
  });

  for (let turns = 0; turns < 8; turns++) {
    it(`G1: a label added ${turns} turns after the append is held as well`, async () => {
      gated = await new GatedServer().start(async (res, security) => {
        security.labels.add('one');
        res.end('held');
        await security.persist();
        for (let turn = 0; turn < turns; turn++) await undefined;
        if ((res as ServerResponse & { outputData: unknown[] }).outputData.length === 0) return;
        security.labels.add('two');
      });
      const wire = gated.request(get('/'));
      await gated.store.called();
      gated.store.succeed();
      await gated.roundTrip();
      if (gated.store.appends.length === 1) return;
      expect(wire.received).to.equal('');
      gated.store.succeed();
      expect(await wire.until(/held$/)).to.match(/held$/);
    });
  }

  it('P62: an answer survives the destruction of its socket by Express', async () => {
    const text = await held((res) => {
      res.end('answer');
      res.socket?.destroy();
    });
    expect(text).to.match(/answer$/);
    await gated.stop();

    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.end('answer');
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    const closed = once(gated.server, 'close');
    gated.server.close();
    gated.store.succeed();
    expect(await wire.closed()).to.match(/answer$/);
    await closed;
  });
});
