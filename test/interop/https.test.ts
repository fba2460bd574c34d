import { once } from 'node:events';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { expect } from 'chai';
import type { RequestHandler } from 'express';
import { aplSessionMiddleware } from '../../lib/index.js';
import { CertificateAuthority, type Identity } from '../support/certificates.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { sessionPerRequest } from '../support/gated-server.js';
import { HeldStore } from '../support/held-store.js';
import { expectDenial, parseResponse, parseResponses } from '../support/parse-response.js';
import { get } from '../support/raw-http.js';

const CLOSE = { Connection: 'close' };
const tainted: RequestHandler = (req, res) => {
  req.security.labels.add(`label of ${req.url}`);
  res.set('X-Handler', 'yes').send(`salary-4711 ${req.originalUrl}`);
};

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`HTTPS, ${version}`, () => {
    let store: HeldStore;
    let secure: https.Server;
    let second: Deferred<void>;
    let identity: Identity;
    before(() => {
      identity = new CertificateAuthority('tests').issue({ commonName: 'localhost' });
    });
    beforeEach(async () => {
      store = new HeldStore();
      const app = express().disable('x-powered-by');
      app.get('/probe', (_req, res) => void res.end('probe'));
      const session = aplSessionMiddleware({
        session: sessionPerRequest(),
        store,
        storeTimeoutMs: 60_000,
        logger: { warn() {}, error() {} },
      });
      second = deferred();
      app.use(session).get('/tainted', tainted);
      app.get('/stream', async (req, res) => {
        res.write('first ');
        await second.promise;
        req.security.labels.add('secret');
        res.end('salary-4711');
      });
      secure = https.createServer({ ...identity, maxVersion: 'TLSv1.2' }, app);
      secure.listen(0, '127.0.0.1');
      await once(secure, 'listening');
    });
    afterEach(async () => {
      secure.closeAllConnections();
      secure.close();
      await once(secure, 'close');
    });

    it('G1: held, then sent, with a clean end', async () => {
      const wire = await SecureWire.open((secure.address() as AddressInfo).port);
      wire.send(get('/tainted', CLOSE));
      const append = await store.nextAppend();
      append.succeed();
      const text = await wire.closed();
      expect(parseResponse(text).body).to.equal('salary-4711 /tainted');
      expect(wire.closeNotified).to.equal(true);
    });

    it('G1: nothing of a held response is on the wire, not even encrypted', async () => {
      const wire = await SecureWire.open((secure.address() as AddressInfo).port);
      // a first answer, so that the handshake is over on both sides
      wire.send(get('/probe'));
      await wire.until(/probe$/);
      const before = wire.cipherBytes;
      wire.send(get('/tainted', CLOSE));
      const append = await store.nextAppend();
      const other = await SecureWire.open((secure.address() as AddressInfo).port);
      other.send(get('/probe', CLOSE));
      await other.closed();
      expect(wire.cipherBytes).to.equal(before);
      append.succeed();
      expect(parseResponses(await wire.closed(), ['GET', 'GET'])[1]?.body).to.equal('salary-4711 /tainted');
    });

    it('G2: denied', async () => {
      const wire = await SecureWire.open((secure.address() as AddressInfo).port);
      wire.send(get('/tainted', CLOSE));
      (await store.nextAppend()).fail();
      expectDenial(parseResponse(await wire.closed()), 'session.persist_failed', []);
      expect(wire.closeNotified).to.equal(true);
    });

    for (const [what, request] of [
      ['chunks', get('/stream')],
      ['the end of the connection', get('/stream').replace('HTTP/1.1', 'HTTP/1.0')],
    ] as const) {
      it(`G2, P44: cut where ${what} would end the body: no close_notify`, async () => {
        const wire = await SecureWire.open((secure.address() as AddressInfo).port);
        wire.send(request);
        await wire.until(/first /);
        second.resolve();
        (await store.nextAppend()).fail();
        const text = await wire.closed();
        expect(text).not.to.match(/salary|\r\n0\r\n/);
        expect(wire.closeNotified).to.equal(false);
      });
    }
  });
}

/** One TLS 1.2 connection through a relay that counts what the server sends and reads the types of its records. */
class SecureWire {
  readonly #socket: tls.TLSSocket;
  readonly #cipher: Buffer[] = [];
  readonly #closed: Promise<unknown>;
  #received = '';

  private constructor(port: number, relayPort: number, relay: net.Server) {
    relay.once('connection', (client) => {
      const upstream = net.connect(port, '127.0.0.1');
      upstream.on('data', (chunk) => this.#cipher.push(chunk));
      upstream.on('error', () => {});
      client.on('error', () => {});
      upstream.on('close', () => client.end());
      upstream.pipe(client, { end: false });
      client.pipe(upstream);
      relay.close();
    });
    this.#socket = tls.connect({ port: relayPort, host: '127.0.0.1', rejectUnauthorized: false });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
    });
    this.#socket.on('error', () => {});
    this.#closed = new Promise((resolve) => this.#socket.once('close', resolve));
  }

  static async open(port: number): Promise<SecureWire> {
    const relay = net.createServer().listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const wire = new SecureWire(port, (relay.address() as AddressInfo).port, relay);
    await once(wire.#socket, 'secureConnect');
    return wire;
  }

  get cipherBytes(): number {
    return Buffer.concat(this.#cipher).length;
  }

  /** Whether the server has sent an alert, which at the end of a TLS 1.2 connection is close_notify. */
  get closeNotified(): boolean {
    const bytes = Buffer.concat(this.#cipher);
    for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
      if (bytes[at] === 21) return true;
    }
    return false;
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received) && !this.#socket.closed) {
      await Promise.race([once(this.#socket, 'data'), this.#closed]);
    }
    return this.#received;
  }

  async closed(): Promise<string> {
    await this.#closed;
    return this.#received;
  }
}
