import { once } from 'node:events';
import type { Server } from 'node:http';
import { expect } from 'chai';
import type { Request, RequestHandler, Response } from 'express';
import { createHttpTerminator } from 'http-terminator';
import { taint } from '../../lib/index.js';
import { GatedServer } from '../support/gated-server.js';
import { get, type Wire } from '../support/raw-http.js';

/** As long as a test can wait: the tests show that nothing waits for it. */
const GRACE_MS = 60_000;

describe('with http-terminator', () => {
  let gated: GatedServer;
  let wire: Wire;
  afterEach(() => gated.stop());

  /** Sends a request that is kept alive, and shuts the server down when its append is under way. */
  async function terminatedDuringAppend(handler: Parameters<GatedServer['start']>[0]): Promise<() => Promise<void>> {
    gated = await new GatedServer().start(handler);
    const terminator = createHttpTerminator({ server: gated.server as Server, gracefulTerminationTimeout: GRACE_MS });
    wire = gated.request(get('/'));
    await gated.store.called();
    const terminated = terminator.terminate();
    return () => terminated;
  }

  for (const outcome of ['succeed', 'fail'] as const) {
    it(`P49: a held response leaves, then its connection ends (append ${outcome}s)`, async () => {
      const terminated = await terminatedDuringAppend((res, { labels }) => {
        labels.add('secret');
        res.end('answer');
      });
      gated.store[outcome]();
      await terminated();
      expect(await wire.closed()).to.match(
        outcome === 'succeed' ? /\r\n\r\nanswer$/ : /^HTTP\/1\.1 403 [\s\S]*persist_failed"\}$/,
      );
      expect(wire.ending).to.equal('end');
    });

    it(`P49: a held stream is closed after its end, when the append ${outcome}s`, async () => {
      let response: Response | undefined;
      const terminated = await terminatedDuringAppend((res, { labels }) => {
        response = res as Response;
        labels.add('secret');
        res.write('begin');
      });
      gated.store[outcome]();
      response?.end('end');
      await terminated();
      if (outcome === 'succeed') expect(await wire.closed()).to.match(/begin[\s\S]*end\r\n0\r\n\r\n$/);
      else expect(await wire.closed()).to.match(/^HTTP\/1\.1 403 [\s\S]*persist_failed"\}$/);
    });

    it(`P49: a request in taint() is answered, then closed (append ${outcome}s)`, async () => {
      const guard: RequestHandler = taint('secret');
      const terminated = await terminatedDuringAppend((res, _security, req) => {
        guard(req as Request, res as Response, () => void res.end('answer'));
      });
      gated.store[outcome]();
      await terminated();
      expect(await wire.closed())
        .to.match(outcome === 'succeed' ? /\r\n\r\nanswer$/ : /^HTTP\/1\.1 403 [\s\S]*persist_failed"\}$/)
        .and.match(/\r\nconnection: close\r\n/i);
    });
  }

  it('P49: a response whose first part is out is waited for as without', async () => {
    let end: () => void = () => {};
    gated = await new GatedServer().start((res, { labels }) => {
      res.write('begin');
      end = () => {
        labels.add('secret');
        res.end('end');
      };
    });
    const terminator = createHttpTerminator({ server: gated.server as Server, gracefulTerminationTimeout: 100 });
    wire = gated.request(get('/'));
    await wire.until(/begin/);
    end();
    await gated.store.called();
    const terminated = terminator.terminate();
    gated.store.succeed();
    await terminated;
    expect(await wire.closed()).to.match(/begin[\s\S]*end\r\n0\r\n\r\n$/);
  });

  it('G8: setHeader() through the connection throws for any other header', async () => {
    let thrown: unknown;
    gated = await new GatedServer().start((res, { labels }, { socket }) => {
      labels.add('secret');
      res.end('answer');
      const { _httpMessage } = socket as unknown as { _httpMessage: Response };
      for (const [name, value] of [
        ['X-Late', 'close'],
        ['Connection', 'keep-alive'],
      ] as const) {
        try {
          _httpMessage.setHeader(name, value);
        } catch (error) {
          thrown = error;
        }
        expect(thrown).to.include({ code: 'ERR_HTTP_HEADERS_SENT' });
        thrown = undefined;
      }
    });
    wire = gated.request();
    await gated.store.called();
    gated.store.succeed();
    expect(await wire.closed()).to.match(/answer$/);
    if (gated.server.listening) gated.server.close();
    await once(gated.server, 'close');
  });
});
