import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { AplSessionOptions } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { GatedServer } from '../support/gated-server.js';
import { get } from '../support/raw-http.js';

describe('A response while its denial is rendered, and after that', () => {
  let gated: GatedServer;

  afterEach(() => gated.stop());

  describe('while a denial is rendered', () => {
    const rendering = (): { options: Partial<AplSessionOptions>; finish: () => void; started: Promise<void> } => {
      const { promise: given, resolve: give } = deferred();
      const started = deferred();
      const denial: AplSessionOptions['denial'] = async (_violation, _req, res) => {
        started.resolve();
        await given;
        res.end('the denial');
      };
      return { options: { denial }, finish: give, started: started.promise };
    };
    const ways: Readonly<Record<string, { method?: string; before: (res: ServerResponse) => unknown }>> = {
      'whose head is made': { before: (res) => res.writeHead(200) },
      'whose head is made, with a length': { before: (res) => res.writeHead(200, { 'Content-Length': 1 }) },
      'to a HEAD that has written': { method: 'HEAD', before: (res) => res.write('x') },
    };
    for (const [what, { method = 'GET', before }] of Object.entries(ways)) {
      it(`G3: a response ${what} that ends meanwhile becomes the denial`, async () => {
        const { options, finish, started } = rendering();
        const finished: string[] = [];
        gated = await new GatedServer().start((res, security) => {
          before(res);
          security.deny({ code: 'policy.no', reason: 'no' });
          res.on('finish', () => finished.push('finish'));
          res.end('x');
        }, options);
        const wire = gated.request(get('/').replace('GET', method));
        await started;
        await gated.roundTrip();
        expect({ received: wire.received, finished }).to.deep.equal({ received: '', finished: [] });
        finish();
        const text = await wire.until(/the denial|Content-Length: 10/);
        expect(text).to.match(/^HTTP\/1\.1 403 /);
        await gated.roundTrip();
        expect(finished).to.deep.equal(['finish']);
      });
    }

    it('P62: destroying the socket is deferred, and later output is lost', async () => {
      const { options, finish, started } = rendering();
      gated = await new GatedServer().start((res, security) => {
        res.writeHead(200);
        security.deny({ code: 'policy.no', reason: 'no' });
        res.socket?.destroy();
        res.end('x');
      }, options);
      const wire = gated.request(get('/'));
      await started;
      await gated.roundTrip();
      expect(wire.ending).to.equal(undefined);
      finish();
      await wire.closed();
      expect(wire.received).not.to.match(/^HTTP\/1\.1 200/);
      expect(await gated.roundTrip()).to.match(/probe answered$/);
    });
  });

  it('P62: output after destroying the socket is lost, also while held', async () => {
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.setHeader('Content-Length', 6);
      res.write('one');
      res.socket?.destroy();
      res.write('two');
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.succeed();
    expect(await wire.closed()).not.to.contain('two');
  });

  it('G2: labels, an end and output after a denial change nothing', async () => {
    let res: ServerResponse | undefined;
    let taint: () => void = () => {};
    gated = await new GatedServer().start((response, { labels }) => {
      res = response;
      taint = () => labels.add('again');
      labels.add('secret');
      res.write('SECRET');
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    gated.store.fail();
    await wire.until(/persist_failed/);
    taint();
    res?.write('SECRET');
    res?.end('SECRET');
    await gated.store.called();
    gated.store.fail();
    expect(await wire.closed()).to.match(/persist_failed"\}$/);
    expect(await gated.roundTrip()).to.match(/probe answered$/);
  });
});
