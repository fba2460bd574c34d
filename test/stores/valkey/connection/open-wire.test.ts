import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import { endpointSource } from '../../../../lib/stores/valkey/connection/endpoint-source.js';
import { openWire } from '../../../../lib/stores/valkey/connection/open-wire.js';
import { ValkeyWire } from '../../../../lib/stores/valkey/protocol/valkey-wire.js';
import { CertificateAuthority } from '../../../support/certificates.js';
import { FakeValkey } from '../../../support/fake-valkey.js';
import { runModule } from '../../../support/node-child.js';
import { describeWithSecureValkey, PASSWORD } from '../../../support/secure-valkey.js';

const LOAD = `
  import ioredis6 from 'ioredis';
  import ioredis5 from 'ioredis5';
  import iovalkey from 'iovalkey';
  import { ValkeySessionStore } from './lib/valkey.ts';
  const { endpoint, tls, username, password } = JSON.parse(process.env.OPTIONS);
  const [host, port] = endpoint.split(':');
  const clients = [ioredis6.default, ioredis5.default, iovalkey.default].map((Client) => {
    const client = new Client({ host, port: Number(port), tls, username, password, lazyConnect: true });
    return { client };
  });
  const outcomes = [];
  for (const where of [{ endpoint, tls, username, password }, ...clients]) {
    const store = new ValkeySessionStore({ ...where, connectTimeoutMs: 700 });
    outcomes.push(await store.loadLabels('s').then(() => 'loaded', (error) => error.code));
    await store.close();
  }
  console.log(JSON.stringify(outcomes));`;

describeWithSecureValkey('NODE_TLS_REJECT_UNAUTHORIZED=0 does not disable the checks', (server) => {
  before(() => server().grant('~taint:v1:*', '+smembers', '+sadd'));
  const outcomes = async (ca: string): Promise<unknown> => {
    const options = { ...server().options, tls: { ...server().options.tls, ca } };
    const env = { OPTIONS: JSON.stringify(options), NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    return JSON.parse((await runModule(LOAD, env)).stdout);
  };

  it('a certificate of another authority is refused everywhere', async function () {
    this.timeout(20_000);
    const refused = Array.from({ length: 4 }, () => 'store.certificate_untrusted');
    expect(await outcomes(new CertificateAuthority('Another').cert)).to.deep.equal(refused);
  });

  it('a certificate of the right authority is accepted', async function () {
    this.timeout(20_000);
    expect(await outcomes(server().authority.cert)).to.deep.equal(Array.from({ length: 4 }, () => 'loaded'));
  });
});

describe('a plain-text endpoint whose peer is on another machine', () => {
  const [address] = Object.values(networkInterfaces())
    .flat()
    .flatMap((each) => (each && !each.internal && each.family === 'IPv4' ? [each.address] : []));
  const open = async (
    host: string,
    fake: FakeValkey,
  ): Promise<ValkeyWire | { failure: { code: string; reason: string } }> =>
    openWire(endpointSource({ host, port: fake.port, tls: false, password: PASSWORD }), {
      timeoutMs: 1_000,
      signal: new AbortController().signal,
      onLost() {},
    });

  it('is closed before the store sends anything, a credential above all', async function () {
    if (address === undefined) return this.skip();
    const fake = await FakeValkey.start(address);
    try {
      const opened = await open(address, fake);
      expect(opened).to.not.be.instanceOf(ValkeyWire);
      expect(opened).to.have.nested.property('failure.code', 'store.tls_failed');
      expect(fake.connections).to.equal(1);
      expect(fake.bytes).to.equal(0);
    } finally {
      await fake.close();
    }
  });

  for (const host of ['127.0.0.1', 'localhost', '127.1.2.3']) {
    it(`${host} is this machine`, async () => {
      const fake = await FakeValkey.start(host);
      const wire = await open(host, fake);
      expect(wire).to.be.instanceOf(ValkeyWire);
      (wire as ValkeyWire).giveUp('The test is over.');
      await fake.close();
    });
  }
});
