import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { type AplSessionOptions, MemorySessionStore, type RequestSecurity } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { expectLaterAnswers, GatedServer } from '../support/gated-server.js';
import { get, type Wire } from '../support/raw-http.js';

const BIG = 'x'.repeat(200_000);

describe('Pipelined responses', () => {
  let gated: GatedServer;

  afterEach(() => gated.stop());

  /** Sends two requests on one connection; the second waits in the pipeline until the first is answered. */
  async function pipelined(
    second: (res: ServerResponse, security: RequestSecurity) => unknown,
    options?: Partial<AplSessionOptions>,
  ): Promise<{ wire: Wire; answerFirst: () => Promise<unknown> }> {
    const arrived = deferred();
    let first: ServerResponse | undefined;
    gated = await new GatedServer().start((res, security, req) => {
      if (req.url === '/first') first = res;
      else if (req.url === '/later') res.end('later answered');
      else if (req.url === '/stream') res.write('event');
      else {
        second(res, security);
        arrived.resolve();
      }
    }, options);
    const wire = gated.request(get('/first') + get('/second'));
    await arrived.promise;
    const answerFirst = (): Promise<unknown> => {
      first?.end('first');
      return wire.until(/first/);
    };
    return { wire, answerFirst };
  }

  describe('in the flush at the start of its turn', () => {
    for (const [outcome, labelBefore] of [
      ['succeed', false],
      ['fail', false],
      ['succeed', true],
      ['fail', true],
    ] as const) {
      const before = labelBefore ? ', after a label that was persisted' : '';
      it(`G1: a label and a write on drain, then an empty end (${outcome}${before})`, async () => {
        const drained = deferred();
        let end: () => void = () => {};
        const { wire, answerFirst } = await pipelined((res, { labels }) => {
          res.setHeader('Content-Length', BIG.length + 6);
          res.write(BIG);
          if (labelBefore) labels.add('before');
          res.once('drain', () => {
            labels.add('secret');
            res.write('SECRET');
            drained.resolve();
          });
          end = () => res.end();
        });
        if (labelBefore) {
          await gated.store.called();
          gated.store.succeed();
        }
        await answerFirst();
        await drained.promise;
        await gated.store.called();
        end();
        await gated.roundTrip();
        expect(wire.received).not.to.contain('SECRET');
        expect(gated.store.appends.at(-1)).to.deep.equal(['secret']);
        gated.store[outcome]();
        if (outcome === 'succeed') expect(await wire.until(/SECRET/)).to.match(/SECRET$/);
        else expect(await wire.closed()).not.to.contain('SECRET');
      });
    }

    it('G8: the bytes leave the pending count, so the connection is read', async () => {
      const drained = deferred();
      let end: () => void = () => {};
      const { wire, answerFirst } = await pipelined((res, { labels }) => {
        res.write(BIG);
        res.once('drain', () => {
          labels.add('secret');
          res.write(BIG);
          drained.resolve();
        });
        end = () => res.end('the end');
      });
      await answerFirst();
      await drained.promise;
      await gated.store.called();
      end();
      gated.store.succeed();
      await wire.until(/the end/);
      await expectLaterAnswers(wire);
    });

    it('P39: an end there undoes every cork, so the next response leaves', async () => {
      const { wire, answerFirst } = await pipelined((res, { labels }) => {
        res.setHeader('Content-Length', 2 * BIG.length + 3);
        res.once('drain', () => res.end('end'));
        res.write(BIG);
        labels.add('secret');
        res.write(BIG);
        res.once('socket', () => res.cork());
      });
      await gated.store.called();
      await answerFirst();
      gated.store.succeed();
      await wire.until(/xend$/);
      wire.send(get('/stream'));
      expect(await wire.until(/event/)).to.contain('event');
    });

    it('G8: a label stored within the tick leaves no pending count either', async () => {
      const settled = deferred();
      const store = new MemorySessionStore();
      let appends = 0;
      const slowFirst = {
        loadLabels: (id: string) => store.loadLabels(id),
        async appendLabels(id: string, labels: readonly string[]) {
          if (appends++ === 0) await settled.promise;
          await store.appendLabels(id, labels);
        },
      };
      const second = (res: ServerResponse, { labels }: RequestSecurity): void => {
        res.write(BIG);
        labels.add('one');
        res.write(BIG);
        res.once('drain', () => {
          labels.add('two');
          res.write(BIG);
          setImmediate(() => {
            labels.add('three');
            res.end(`${BIG}the end`);
          });
        });
      };
      const { wire, answerFirst } = await pipelined(second, { store: slowFirst });
      await answerFirst();
      settled.resolve();
      await wire.until(/the end/);
      await expectLaterAnswers(wire);
    });
  });

  it('G1: a response that sends nothing before its turn is held after it', async () => {
    let answer: () => void = () => {};
    const { wire, answerFirst } = await pipelined((res, { labels }) => {
      labels.add('secret');
      answer = () => res.end('SECRET');
    });
    await answerFirst();
    answer();
    await gated.store.called();
    await gated.roundTrip();
    expect(wire.received).to.match(/first$/);
    gated.store.succeed();
    expect(await wire.until(/SECRET/)).to.match(/SECRET$/);
  });

  it('G1: an early listener on "socket" cannot send before the append', async () => {
    const { wire, answerFirst } = await pipelined((res, { labels }) => {
      labels.add('secret');
      res.prependListener('socket', () => res.end('SECRET'));
    });
    await answerFirst();
    await gated.store.called();
    await gated.roundTrip();
    expect(wire.received).to.match(/first$/);
    gated.store.succeed();
    expect(await wire.until(/SECRET/)).to.match(/SECRET$/);
  });

  it('G1: a label added to a denied, queued response is tried before it leaves', async () => {
    let taintAgain: () => void = () => {};
    const { wire, answerFirst } = await pipelined((res, { labels }) => {
      labels.add('one');
      res.end('SECRET');
      taintAgain = () => labels.add('two');
    });
    await gated.store.called();
    gated.store.fail();
    await gated.roundTrip();
    taintAgain();
    await gated.store.called();
    await answerFirst();
    await gated.roundTrip();
    expect(wire.received).to.match(/first$/);
    gated.store.fail();
    expect(await wire.until(/persist_failed/)).not.to.contain('SECRET');
    expect(gated.store.appends.at(-1)).to.include('two');
  });

  it('G8: prefinish is emitted once, when the bytes leave', async () => {
    let count = 0;
    const { wire, answerFirst } = await pipelined((res, { labels }) => {
      res.on('prefinish', () => count++);
      labels.add('secret');
      res.end('answer');
      labels.add('after the end');
    });
    await gated.store.called();
    await answerFirst();
    await gated.roundTrip();
    expect(count).to.equal(0);
    gated.store.succeed();
    await gated.store.called();
    gated.store.succeed();
    await wire.until(/answer$/);
    expect(count).to.equal(1);
  });

  it('P38: endless pipelining starts no more handlers than without labels', async () => {
    const started: Record<string, number> = { clean: 0, tainted: 0 };
    for (const kind of ['clean', 'tainted']) {
      gated = await new GatedServer().start((res, { labels }, req) => {
        if (req.url === '/first') return;
        started[kind] = (started[kind] ?? 0) + 1;
        if (kind === 'tainted') labels.add('secret');
        res.end('x'.repeat(10_000));
      });
      const wire = gated.request(get('/first') + get('/flood', { 'X-Padding': 'x'.repeat(600) }).repeat(1_000));
      while (started[kind] === 0) await gated.roundTrip();
      for (let n = 0; n < 20; n++) await gated.roundTrip();
      wire.destroy();
      await gated.stop();
    }
    expect(started['clean']).to.be.below(500);
    expect(started['tainted']).to.equal(started['clean']);
  });

  it('G8: denied bodies leave the pending count of the connection', async () => {
    gated = await new GatedServer().start((res, { labels }, req) => {
      if (req.url === '/later') return res.end('later answered');
      labels.add('secret');
      return res.end(BIG);
    });
    const wire = gated.request(get('/'));
    for (let refused = 1; refused <= 3; refused++) {
      await gated.store.called();
      gated.store.fail();
      await wire.until(new RegExp(`(persist_failed[^]*){${refused}}`));
      if (refused < 3) wire.send(get('/'));
    }
    await expectLaterAnswers(wire);
  });

  for (const queued of [true, false]) {
    const what = queued ? 'one is queued already' : 'none is queued yet';
    it(`G1: requests behind a held connection end get no answer (${what})`, async () => {
      gated = await new GatedServer().start((res, { labels }, req) => {
        if (req.url === '/late') res.end('LATE ANSWER');
        if (req.url !== '/ends') return;
        res.write('until the end of the connection');
        setImmediate(() => {
          res.end();
          labels.add('secret');
        });
      });
      const ending = get('/ends', { Connection: 'keep-alive' }).replace('HTTP/1.1', 'HTTP/1.0');
      const wire = gated.request(ending + (queued ? get('/queued') : ''));
      await gated.store.called();
      wire.send(get('/late'));
      await gated.roundTrip();
      await gated.roundTrip();
      gated.store.succeed();
      expect(await wire.closed()).to.match(/until the end of the connection$/);
    });
  }
});
