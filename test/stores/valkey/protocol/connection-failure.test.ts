import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { expect } from 'chai';
import express from 'express';
import request from 'supertest';
import type { Alarm } from '../../../../lib/contract/alarms.js';
import { aplSessionMiddleware, type SessionStore } from '../../../../lib/index.js';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { CertificateAuthority } from '../../../support/certificates.js';
import { eventually, rejectionOf } from '../../../support/eventually.js';
import { describeWithSecureValkey, PASSWORD, type SecureValkey, USERNAME } from '../../../support/secure-valkey.js';

/** Every call here that finds no connection waits that long. */
const TIMEOUTS = { connectTimeoutMs: 400, commandTimeoutMs: 1_000 };
const SECRETS = [PASSWORD, encodeURIComponent(PASSWORD), 'not the password', USERNAME, 'PRIVATE KEY', 'of-the-session'];

interface Refusal {
  readonly what: string;
  readonly code: string;
  /** The end of the alarm's `error`. */
  readonly text?: string;
  /** The wrong options of the client. */
  readonly options?: (server: SecureValkey) => ValkeySessionStoreOptions;
  /** Makes the server fail, from this call on. */
  readonly spoil?: (server: SecureValkey) => Promise<unknown>;
}

const REFUSALS: readonly Refusal[] = [
  {
    what: 'a wrong authority',
    code: 'store.certificate_untrusted',
    options: ({ options: { tls } }) => ({ tls: { ...tls, ca: new CertificateAuthority('Another').cert } }),
  },
  {
    what: 'the authorities of Node',
    code: 'store.certificate_untrusted',
    options: ({ client }) => ({ tls: { ...client } }),
  },
  {
    what: 'another server name',
    code: 'store.certificate_wrong_name',
    options: ({ options: { tls } }) => ({ tls: { ...tls, servername: 'valkey.elsewhere.example' } }),
  },
  {
    what: 'a certificate for another server',
    code: 'store.certificate_wrong_name',
    spoil: (server) => server.present('elsewhere'),
  },
  { what: 'an expired certificate', code: 'store.certificate_expired', spoil: (server) => server.present('expired') },
  {
    what: 'a certificate that is not valid yet',
    code: 'store.certificate_expired',
    spoil: (server) => server.present('early'),
  },
  {
    what: 'no client certificate',
    code: 'store.tls_failed',
    options: ({ authority }) => ({ tls: { ca: authority.cert } }),
  },
  {
    what: 'a client certificate of another authority',
    code: 'store.tls_failed',
    options: ({ options: { tls } }) => ({
      tls: { ...tls, ...new CertificateAuthority('Another').issue({ commonName: 'client' }) },
    }),
  },
  {
    what: 'a listener without TLS',
    code: 'store.unavailable',
    options: ({ plain }) => ({ endpoint: `localhost:${plain.port}` }),
  },
  {
    what: 'a wrong password',
    code: 'store.login_failed',
    text: 'Valkey refused the username or the password; check both.',
    options: () => ({ password: 'not the password' }),
  },
  {
    what: 'a wrong password from a function',
    code: 'store.login_failed',
    options: () => ({ password: async () => 'not the password' }),
  },
  {
    what: 'an unknown user',
    code: 'store.login_failed',
    options: () => ({ username: 'nobody' }),
  },
  {
    what: 'no login, where one is needed',
    code: 'store.login_failed',
    text: 'Valkey requires a password, and the connection has none; set one.',
    options: () => ({ username: undefined, password: undefined }) as unknown as ValkeySessionStoreOptions,
    spoil: ({ plain }) => plain.admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>admins only'),
  },
  {
    what: 'a password that was changed',
    code: 'store.login_failed',
    spoil: ({ plain }) => plain.admin.call('ACL', 'SETUSER', USERNAME, 'resetpass', '>another'),
  },
  {
    what: 'a user that was switched off',
    code: 'store.login_failed',
    spoil: ({ plain }) => plain.admin.call('ACL', 'SETUSER', USERNAME, 'off'),
  },
  {
    what: 'a missing right',
    code: 'store.not_permitted',
    spoil: ({ plain }) => plain.admin.call('ACL', 'SETUSER', USERNAME, '-@all'),
  },
  {
    what: 'rights to other keys',
    code: 'store.not_permitted',
    spoil: ({ plain }) => plain.admin.call('ACL', 'SETUSER', USERNAME, 'resetkeys', '~other:*'),
  },
];

/** Waits until the store has met the refusal: on a busy machine, one call may be too short for a handshake. */
async function refusalMet(store: SessionStore, code: string): Promise<void> {
  await eventually(async () => {
    expect(await rejectionOf(store.loadLabels('of-another'))).to.have.property('code', code);
  });
}

/** A relay for one connection that holds the server's answers until the client has ended its side, and gives them as one. */
async function answersOnceGivenUp(
  port: number,
): Promise<Record<'asked' | 'delivered', Promise<unknown>> & { endpoint: string }> {
  const relay = createServer({ allowHalfOpen: true });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const held: Buffer[] = [];
  const upstream = once(relay, 'connection').then(([client]: Socket[]) => {
    relay.close();
    const server = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
    server.on('data', (bytes) => held.push(bytes)).on('end', () => client?.end(Buffer.concat(held)));
    client?.pipe(server);
    return server;
  });
  return {
    endpoint: `127.0.0.1:${(relay.address() as AddressInfo).port}`,
    asked: upstream.then((server) => once(server, 'data')),
    delivered: once(relay, 'close'),
  };
}

describeWithSecureValkey('G2: a Valkey that refuses the store, through the middleware', (server) => {
  beforeEach(async () => {
    await server().plain.flush();
    await server().present('server');
    await server().grant('~taint:v1:*', '+smembers', '+sadd');
  });
  afterEach(() => server().plain.admin.call('ACL', 'SETUSER', 'default', 'nopass'));

  const appWith = (
    options: ValkeySessionStoreOptions,
    beforeAnswer: (store: SessionStore) => Promise<unknown> = async () => {},
  ): { app: express.Express; alarms: Alarm[]; store: ValkeySessionStore } => {
    const alarms: Alarm[] = [];
    const store = new ValkeySessionStore({ ...server().options, ...TIMEOUTS, ...options });
    const middleware = aplSessionMiddleware({
      session: () => 'of-the-session',
      store,
      logger: { warn: () => {}, error: () => {} },
      onAlarm: (alarm) => alarms.push(alarm),
    });
    const app = express();
    app.use(middleware);
    app.get('/', async (req, res) => {
      await beforeAnswer(store);
      req.security.labels.add('seen');
      res.send('answered');
    });
    return { app, alarms, store };
  };

  const expectRefusal = (alarms: readonly Alarm[], op: 'load' | 'append', code: string): void => {
    expect(alarms).to.have.length(1);
    expect(alarms[0], inspect(alarms[0])).to.include({ alarm: 'session_store_failure', op, code });
    for (const secret of SECRETS) expect(inspect(alarms, { depth: 10 })).to.not.include(secret);
  };

  it('without a fault the request is answered', async () => {
    const { app, alarms, store } = appWith({});
    const { status, text } = await request(app).get('/');
    expect({ status, text, alarms }).to.deep.equal({ status: 200, text: 'answered', alarms: [] });
    await store.close();
  });

  for (const { what, code, text = '', options, spoil } of REFUSALS) {
    it(`${what}: a load is denied, with the alarm ${code}`, async () => {
      const { app, alarms, store } = appWith(options?.(server()) ?? {});
      await spoil?.(server());
      await refusalMet(store, code);
      const { status, body } = await request(app).get('/');
      expect(status).to.equal(403);
      expect(body).to.have.property('code', 'session.load_failed');
      expectRefusal(alarms, 'load', code);
      expect((alarms[0] as { error?: string }).error?.endsWith(text), inspect(alarms[0])).to.equal(true);
      await store.close();
    });

    if (!spoil || options) continue;
    it(`${what}, after the load: 403, with the alarm ${code}`, async () => {
      const { app, alarms, store } = appWith({}, async (store) => {
        await spoil(server());
        // an open connection meets neither the login nor the certificate
        if (code !== 'store.not_permitted') await server().plain.admin.call('CLIENT', 'KILL', 'USER', USERNAME);
        await refusalMet(store, code);
      });
      const { status, body } = await request(app).get('/');
      expect(status).to.equal(403);
      expect(body).to.have.property('code', 'session.persist_failed');
      expectRefusal(alarms, 'append', code);
      await store.close();
    });
  }

  it('close() during a handshake with a wrong server leaves no error unhandled', async () => {
    await server().present('elsewhere');
    const { endpoint, asked, delivered } = await answersOnceGivenUp(server().plain.tls?.port ?? 0);
    const store = new ValkeySessionStore({ ...server().options, ...TIMEOUTS, endpoint });
    const load = rejectionOf(store.loadLabels('of-the-session'));
    await asked;
    await store.close();
    expect(await load).to.have.property('code', 'store.closed');
    await delivered;
  });

  it('a server that is repaired is used again without a restart', async () => {
    const { app, store } = appWith({});
    await server().present('expired');
    expect((await request(app).get('/')).status).to.equal(403);
    await server().present('server');
    await eventually(async () => expect((await request(app).get('/')).status).to.equal(200));
    await store.close();
  });
});
