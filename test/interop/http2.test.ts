import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import { AplSessionError, aplSessionMiddleware } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { sessionPerRequest } from '../support/gated-server.js';
import { HeldStore } from '../support/held-store.js';

describe('HTTP/2', () => {
  it('P8: a response of the compat API is refused before any handler', async () => {
    const store = new HeldStore();
    const middleware = aplSessionMiddleware({ session: sessionPerRequest(), store, logger: { warn() {}, error() {} } });
    const passed = deferred<unknown>();
    const server = http2.createServer((req, res) => {
      middleware(req as unknown as Request, res as unknown as Response, (error?: unknown) => {
        passed.resolve(error);
        res.statusCode = error ? 500 : 200;
        res.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const stream = client.request({ ':path': '/' });
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status'?: number }];
    const error = await passed.promise;
    expect(error).to.be.instanceOf(AplSessionError);
    expect((error as AplSessionError).code).to.equal('runtime.unsupported');
    expect(headers[':status']).to.equal(500);
    expect(store.loads.length).to.equal(0);
    stream.close();
    client.close();
    server.close();
    await once(server, 'close');
  });
});
