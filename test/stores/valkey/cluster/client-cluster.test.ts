import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import ioredis6 from 'ioredis';
import ioredis5 from 'ioredis5';
import iovalkey from 'iovalkey';
import { AplSessionError } from '../../../../lib/contract/errors.js';
import { ValkeySessionStore } from '../../../../lib/valkey.js';
import { rejectionOf, thrownBy } from '../../../support/eventually.js';
import { FakeValkey } from '../../../support/fake-valkey.js';

type ClusterClass = new (nodes: readonly (object | string)[], options: object) => { disconnect(): void };

const CLIENTS: ReadonlyArray<readonly [name: string, client: ClusterClass]> = [
  ['ioredis 6', ioredis6.Cluster as unknown as ClusterClass],
  ['ioredis 5', ioredis5.Cluster as unknown as ClusterClass],
  ['iovalkey', iovalkey.Cluster as unknown as ClusterClass],
];

for (const [name, ClusterClient] of CLIENTS) {
  describe(`startup nodes of a cluster client of ${name}`, () => {
    const storeOn = (seed: object | string, options: object = {}): ValkeySessionStore =>
      new ValkeySessionStore({ client: new ClusterClient([seed], { lazyConnect: true, ...options }) });

    for (const [what, seedAt] of [
      ['a rediss:// URL', (port: number) => `rediss://app:hunter2@127.0.0.1:${port}`],
      ['tls: {}', (port: number) => ({ host: '127.0.0.1', port, username: 'app', password: 'hunter2', tls: {} })],
      ['tls: true', (port: number) => ({ host: '127.0.0.1', port, password: 'hunter2', tls: true })],
    ] as const) {
      it(`${what} without redisOptions.tls is config.invalid`, async () => {
        let sent = '';
        const server = createServer((socket) => {
          socket.on('error', () => {});
          socket.on('data', (bytes) => {
            sent += bytes.toString('latin1');
            socket.destroy();
          });
        });
        await once(server.listen(0, '127.0.0.1'), 'listening');
        try {
          const { port } = server.address() as AddressInfo;
          const load = async (): Promise<unknown> => {
            const store = storeOn(seedAt(port));
            return store.loadLabels('s').finally(() => store.close());
          };
          const error = await rejectionOf(load());
          expect(sent).to.equal('');
          expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
          const { message } = error as AplSessionError;
          expect(message).to.include('redisOptions.tls').and.not.include('hunter2');
        } finally {
          server.close();
        }
      });

      it(`${what} is accepted with redisOptions.tls`, async () => {
        await storeOn(seedAt(1), { redisOptions: { tls: {} } }).close();
      });
    }

    it('a URL whose credentials are not percent-encoded is config.invalid', () => {
      const error = thrownBy(() => storeOn('redis://u:hunter2%zz@127.0.0.1:7000'));
      expect(error).to.be.instanceOf(AplSessionError).with.property('code', 'config.invalid');
      expect(error).to.have.property('message').that.includes('%25').and.does.not.include('hunter2');
    });

    it('a URL with an IPv6 address is used', async function () {
      if (!Object.values(networkInterfaces()).some((of) => of?.some(({ address }) => address === '::1'))) this.skip();
      const fake = await FakeValkey.start('::1');
      // it tells this address in its map of the slots
      const natMap = { [`127.0.0.1:${fake.port}`]: { host: '::1', port: fake.port } };
      const store = storeOn(`redis://[::1]:${fake.port}`, { natMap });
      try {
        expect(await store.loadLabels('s')).to.deep.equal([]);
      } finally {
        await store.close();
        await fake.close();
      }
    });
  });
}
