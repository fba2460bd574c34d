import { OutgoingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import { GatedServer } from '../support/gated-server.js';
import { get } from '../support/raw-http.js';

/** Every method by which a response can send bytes, and a call of it that does. */
const WRITING_METHODS: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
  write: (res) => res.write('early'),
  end: (res) => res.end('early'),
  flushHeaders: (res) => res.flushHeaders(),
  writeHead: (res) => res.writeHead(200, { 'X-Early': 'early' }).flushHeaders(),
  writeHeader: (res) =>
    (res as ServerResponse & { writeHeader: ServerResponse['writeHead'] }).writeHeader(200).write('early'),
  writeContinue: (res) => res.writeContinue(),
  writeProcessing: (res) => res.writeProcessing(),
  writeEarlyHints: (res) => res.writeEarlyHints({ link: '</early>; rel=preload' }),
  writeInformation: (res) => (res as ServerResponse & { writeInformation(status: number): void }).writeInformation(110),
  addTrailers: (res) => {
    res.setHeader('Trailer', 'X-Early');
    res.addTrailers({ 'X-Early': 'early' });
    res.end('early');
  },
  uncork: (res) => {
    res.cork();
    res.write('early');
    res.uncork();
  },
  destroy: (res) => {
    res.writeHead(200, { 'X-Early': 'early' }).flushHeaders();
    res.destroy();
  },
  // what Node's own methods are made of, and other packages call at times
  _send: (res) => (res as ServerResponse & { _send(data: string): void })._send('early'),
  _writeRaw: (res) => (res as ServerResponse & { _writeRaw(data: string): void })._writeRaw('early'),
  _flush: (res) => {
    res.write('early');
    (res as ServerResponse & { _flush(): void })._flush();
  },
  _implicitHeader: (res) => {
    (res as ServerResponse & { _implicitHeader(): void })._implicitHeader();
    res.flushHeaders();
  },
};

/** Methods that write nothing themselves, or that only Node calls. */
const NOT_WRITING = new Set([
  'constructor',
  'appendHeader',
  'assignSocket',
  'cork',
  'detachSocket',
  'getHeader',
  'getHeaderNames',
  'getHeaders',
  'getRawHeaderNames',
  'hasHeader',
  'pipe',
  'removeHeader',
  'setHeader',
  'setHeaders',
  'setTimeout',
  '_finish',
  '_flushOutput',
  '_renderHeaders',
  '_storeHeader',
  '_isLenientHeaderValidation',
]);

function methodsOf(prototype: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([, { value }]) => typeof value === 'function')
    .map(([name]) => name);
}

const methods = new Set([...methodsOf(ServerResponse.prototype), ...methodsOf(OutgoingMessage.prototype)]);

describe('Every writing method of a response (P1–P5, P7, P10, P11)', () => {
  let gated: GatedServer;

  afterEach(() => gated.stop());

  it('every method of this Node’s ServerResponse is known', async () => {
    gated = new GatedServer();
    expect([...methods].filter((name) => !(name in WRITING_METHODS) && !NOT_WRITING.has(name))).to.deep.equal([]);
  });

  for (const [name, open] of Object.entries(WRITING_METHODS)) {
    if (!methods.has(name)) continue;

    it(`G1: no byte leaves through ${name} while a label is not persisted`, async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        open(res);
      });
      const wire = gated.request();
      await gated.store.called();
      await gated.roundTrip();
      expect(wire.received).to.equal('');
      gated.store.succeed();
      expect(await wire.until(/./)).to.match(/^_(send|writeRaw)$/.test(name) ? /^early/ : /^HTTP\/1\.1 /);
    });

    it(`G2: nothing sent through ${name} leaves when the append fails`, async () => {
      gated = await new GatedServer().start((res, { labels }) => {
        labels.add('secret');
        open(res);
      });
      const wire = gated.request();
      await gated.store.called();
      gated.store.fail();
      const text = await wire.closed();
      expect(text).not.to.match(/early/i);
      if (name === 'destroy') expect(text).to.equal('');
      else expect(text).to.match(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*"code":"session\.persist_failed"\}$/);
    });
  }

  it('G1: only the automatic 100 Continue and the socket itself are outside', async () => {
    gated = await new GatedServer().start((res, { labels }, req) => {
      labels.add('secret');
      res.end('held');
      req.on('data', () => req.socket.write('around the gate'));
    });
    const wire = gated.request(get('/', { Expect: '100-continue', 'Content-Length': '1' }));
    expect(await wire.until(/\r\n\r\n$/)).to.equal('HTTP/1.1 100 Continue\r\n\r\n');
    await gated.store.called();
    wire.send('x');
    expect(await wire.until(/gate$/)).to.equal('HTTP/1.1 100 Continue\r\n\r\naround the gate');
    gated.store.succeed();
    expect(await wire.until(/held$/)).to.match(/gateHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nheld$/);
  });

  it('G2: a head rendered before the label becomes a 403 if it has not left', async () => {
    gated = await new GatedServer().start((res, { labels }) => {
      res.writeHead(200, { 'X-Early': 'early', 'Content-Length': 5 });
      labels.add('secret');
      res.end('early');
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.fail();
    const text = await wire.closed();
    expect(text).to.match(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(text).not.to.match(/early/i);
  });

  it('G2: after an interim response the final one still becomes a 403', async () => {
    gated = await new GatedServer().start((res, { labels }) => {
      res.writeProcessing();
      labels.add('secret');
      res.end('early');
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.fail();
    expect(await wire.closed()).to.match(/^HTTP\/1\.1 102 Processing\r\n\r\nHTTP\/1\.1 403 Forbidden\r\n/);
  });
});
