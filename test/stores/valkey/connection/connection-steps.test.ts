import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../../../lib/valkey.js';
import { rejectionOf } from '../../../support/eventually.js';

/** What a call waits for, with a server that accepts connections and never answers. */
describe('what a call without a connection waits for', () => {
  let server: Server;
  const sockets: Socket[] = [];

  before(async () => {
    server = createServer((socket) => void sockets.push(socket.on('error', () => {})));
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  const hanging = (): Promise<string> => new Promise(() => {});
  const STEPS: ReadonlyArray<readonly [step: string, scheme: string, options: Partial<ValkeySessionStoreOptions>]> = [
    ['the password function', '', { password: hanging }],
    ['the TLS handshake', 'rediss://', {}],
    ['the answer of the server to the login', '', { password: 'hunter2' }],
  ];
  for (const [step, scheme, options] of STEPS) {
    it(`${step} is in the error, and no credentials are`, async () => {
      const { port } = server.address() as AddressInfo;
      const endpoint = `${scheme}127.0.0.1:${port}`;
      const store = new ValkeySessionStore({ endpoint, connectTimeoutMs: 200, ...options });
      try {
        const error = await rejectionOf(store.loadLabels('session'));
        expect(error).to.have.property('code', 'store.unavailable');
        expect((error as Error).message).to.equal(`No connection to Valkey within 200 ms: still waiting for ${step}.`);
      } finally {
        await store.close();
      }
    });

    if (step !== 'the password function') {
      it(`${step} is in the error also when the attempt has failed`, async () => {
        const { port } = server.address() as AddressInfo;
        const endpoint = `${scheme}127.0.0.1:${port}`;
        // an attempt ends after 2 s, and a call that waits as long sees it fail
        const store = new ValkeySessionStore({
          endpoint,
          connectTimeoutMs: 1_500,
          commandTimeoutMs: 5_000,
          ...options,
        });
        try {
          await rejectionOf(store.loadLabels('session'));
          const error = await rejectionOf(store.loadLabels('session'));
          expect((error as Error).message).to.include(`${step} took longer than 2000 ms`);
        } finally {
          await store.close();
        }
      });
    }
  }
});
