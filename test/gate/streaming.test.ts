import { once } from 'node:events';
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { GatedServer } from '../support/gated-server.js';
import { get, Wire } from '../support/raw-http.js';

const MIB = 1024 * 1024;

/** The decoded body of a chunked message that is complete, else `undefined`. */
function chunkedBody(message: string): string | undefined {
  let rest = message.slice(message.indexOf('\r\n\r\n') + 4);
  let body = '';
  for (;;) {
    const size = Number.parseInt(rest, 16);
    const start = rest.indexOf('\r\n') + 2;
    if (Number.isNaN(size) || start < 2) return undefined;
    if (size === 0) return body;
    body += rest.slice(start, start + size);
    rest = rest.slice(start + size + 2);
  }
}

function* chunksOf(total: number, size = 64 * 1024): Generator<Buffer> {
  for (let sent = 0; sent < total; sent += size) yield Buffer.alloc(Math.min(size, total - sent), 'x');
}

describe('Streams through the gate', () => {
  let gated: GatedServer;

  afterEach(() => gated.stop());

  const producers: Readonly<Record<string, (res: Writable) => unknown>> = {
    'P37: pipe': (res) => Readable.from(chunksOf(8 * MIB)).pipe(res),
    'P37: pipeline': (res) => pipeline(Readable.from(chunksOf(8 * MIB)), res),
    'P37: async iteration that waits for drain': async (res) => {
      for (const chunk of chunksOf(8 * MIB)) if (!res.write(chunk)) await once(res, 'drain');
      res.end();
    },
    'P39: pipe into a response that is held already': (res) => {
      res.write('x');
      Readable.from(chunksOf(8 * MIB - 1)).pipe(res);
    },
    'a web stream adapted to Node': (res) =>
      Readable.toWeb(Readable.from(chunksOf(8 * MIB))).pipeTo(Writable.toWeb(res)),
  };
  for (const [name, produce] of Object.entries(producers)) {
    it(`${name} goes on after the hold and arrives whole`, async function () {
      this.timeout(20_000);
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        void produce(res as unknown as Writable);
      });
      const wire = gated.request();
      await gated.store.called();
      await gated.roundTrip();
      expect(wire.received).to.equal('');
      gated.store.succeed();
      expect(chunkedBody(await wire.closed())).to.have.length(8 * MIB);
    });
  }

  it('P38: keeps no more than was written before the producer saw false', async () => {
    let produced = 0;
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      const source = Readable.from(chunksOf(64 * MIB));
      const counter = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          produced += chunk.length;
          done(null, chunk);
        },
      });
      source.pipe(counter).pipe(res);
    });
    const wire = gated.request();
    await gated.store.called();
    await gated.roundTrip();
    const whileHeld = produced;
    await gated.roundTrip();
    expect(produced).to.equal(whileHeld);
    expect(produced).to.be.below(2 * MIB);
    wire.destroy();
    gated.store.succeed();
  });

  it('P42: events of an untainted stream leave at once, until a label', async () => {
    let emit: (text: string) => void = () => {};
    let taint: () => void = () => {};
    gated = await new GatedServer().start((res, { labels }) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
      emit = (text) => res.write(`data: ${text}\n\n`);
      taint = () => labels.add('secret');
    });
    const wire = gated.request();
    await wire.until(/\r\n\r\n/);
    emit('one');
    await wire.until(/one\n\n/);
    taint();
    emit('two');
    await gated.store.called();
    await gated.roundTrip();
    expect(wire.received).to.contain('one').and.not.to.contain('two');
    gated.store.succeed();
    await wire.until(/two\n\n/);
    emit('three');
    await wire.until(/three\n\n/);
    expect(gated.store.appends).to.deep.equal([['secret']]);
  });

  for (const [framing, headers] of [
    ['chunked', {}],
    ['Content-Length', { 'Content-Length': '100' }],
  ] as const) {
    it(`P44, G2: a label that cannot be saved in mid-stream cuts it (${framing})`, async () => {
      let more: () => void = () => {};
      let closed = false;
      gated = await new GatedServer().start((res, { labels }) => {
        res.writeHead(200, headers).write('clean');
        res.on('close', () => {
          closed = true;
        });
        more = () => {
          labels.add('secret');
          res.write('tainted');
          res.end();
        };
      });
      const wire = gated.request(get('/'));
      await wire.until(/clean/);
      more();
      await gated.store.called();
      gated.store.fail();
      const text = await wire.closed();
      expect(text).to.match(/clean(\r\n)?$/);
      expect(closed).to.equal(true);
      expect(gated.alarms).to.have.length(1);
      expect(gated.alarms[0]).to.include({
        alarm: 'session_store_failure',
        op: 'append',
        bytesSent: true,
        decisionWasAllow: true,
      });
    });
  }

  it('G2: a close-delimited response is reset, so it never looks complete', async () => {
    let more: () => void = () => {};
    gated = await new GatedServer().start((res, { labels }) => {
      res.write('clean');
      more = () => {
        labels.add('secret');
        res.end('tainted');
      };
    });
    const wire = gated.request(get('/').replace('HTTP/1.1', 'HTTP/1.0'));
    await wire.until(/clean/);
    more();
    await gated.store.called();
    gated.store.fail();
    expect(await wire.closed()).to.match(/clean$/);
    expect(wire.ending).to.equal('ECONNRESET');
  });

  it('G2: a stream denied with no byte out gets a whole 403, and is ended', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    gated = await new GatedServer().start((res, { labels }) => {
      closed = once(res, 'close');
      labels.add('secret');
      Readable.from(chunksOf(64 * MIB)).pipe(res);
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    gated.store.fail();
    const text = await wire.closed();
    expect(text)
      .to.match(/^HTTP\/1\.1 403 Forbidden\r\n/)
      .and.to.contain('Connection: close')
      .and.to.match(/persist_failed"\}$/);
    expect(wire.ending).to.equal('end');
    await closed;
  });

  it('G1: labels added during an append are stored before anything leaves', async () => {
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('one');
      res.flushHeaders();
      res.write('first');
      labels.add('two');
      res.end('second');
    });
    const wire = gated.request();
    await gated.store.called();
    expect(gated.store.appends).to.deep.equal([['one']]);
    gated.store.succeed();
    await gated.store.called();
    expect(gated.store.appends).to.deep.equal([['one'], ['two']]);
    await gated.roundTrip();
    expect(wire.received).to.equal('');
    gated.store.succeed();
    expect(chunkedBody(await wire.closed())).to.equal('firstsecond');
  });

  it('P41: back-pressure after the hold is the same as in Node', async () => {
    let produced = 0;
    gated = await new GatedServer().start(async (res, security) => {
      security.labels.add('secret');
      await security.persist();
      const source = Readable.from(chunksOf(64 * MIB)).on('data', (chunk: Buffer) => {
        produced += chunk.length;
      });
      source.pipe(res);
    });
    const wire = gated.request();
    wire.socket.pause();
    await gated.store.called();
    gated.store.succeed();
    let before = -1;
    while (produced === 0 || produced !== before) {
      before = produced;
      await gated.roundTrip();
    }
    expect(produced).to.be.below(32 * MIB);
    wire.destroy();
    expect(wire).to.be.instanceOf(Wire);
  });
});
