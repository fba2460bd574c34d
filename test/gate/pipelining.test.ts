import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { type AplSessionOptions, MemorySessionStore, type RequestSecurity } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { GatedServer } from '../support/gated-server.js';
import { get, type Wire } from '../support/raw-http.js';

const BIG = 'x'.repeat(200_000);

describe('The turn of a response on its connection, which the gate takes', () => {
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

  describe('within the flush that its turn begins with', () => {
    for (const [outcome, labelBefore] of [
      ['succeed', false],
      ['fail', false],
      ['succeed', true],
      ['fail', true],
    ] as const) {
      const before = labelBefore ? ', after a label that was persisted' : '';
      it(`G1: a label and a write in the drain listener, and an end without anything to send (${outcome}${before})`, async () => {
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

    it('G8: bytes that were kept there are not left on the account of the connection, whose reading would stop', async () => {
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
      await laterAnswers(wire);
    });

    it('P39: an end there takes back every cork, and so the next response is not stuck', async () => {
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

    it('G8: a label there that is persisted before the tick is over leaves nothing on the account either', async () => {
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
      await laterAnswers(wire);
    });
  });

  /** Requests that follow on the same connection are read and served. */
  async function laterAnswers(wire: Wire): Promise<void> {
    wire.send(get('/later'));
    await wire.until(/later answered/);
    wire.send(get('/later', { Connection: 'close' }));
    expect((await wire.closed()).match(/later answered/g)).to.have.length(2);
  }

  it('G1: a response that has sent nothing before its turn came in the hold is held after it', async () => {
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

  it('G1: whoever hears of the socket of a pipelined response first cannot send either', async () => {
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

  it('G1: a label that comes after the refusal, which waits for its turn, is tried before the refusal leaves', async () => {
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

  it('P38: a client that pipelines without end starts no more handlers than it could without labels', async () => {
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

  it('G8: refused bodies are not left on the account of the connection, whose reading would stop', async () => {
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
    await laterAnswers(wire);
  });

  for (const queued of [true, false]) {
    const what = queued ? 'one is queued already' : 'none is queued yet';
    it(`G1: requests that come while the end of the connection waits for the append are not answered (${what})`, async () => {
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

  it('G8: a HEAD without a length is over with its head, so the end of its connection waits for nothing', async () => {
    gated = await new GatedServer().start((res, { labels }) => {
      res.flushHeaders();
      setImmediate(() => {
        res.end();
        labels.add('secret');
      });
    });
    const wire = gated.request(get('/', { Connection: 'close' }).replace('GET', 'HEAD'));
    expect(await wire.closed()).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    await gated.store.called();
    gated.store.succeed();
  });

  it('P39: drain does not come in the middle of a write', async () => {
    let writing = false;
    const drainedWhileWriting: boolean[] = [];
    gated = await new GatedServer().start((res, { labels }) => {
      labels.add('secret');
      res.on('drain', () => drainedWhileWriting.push(writing));
      writing = true;
      res.write(BIG);
      for (let n = 0; n < 3; n++) res.write(Buffer.from('and more'));
      writing = false;
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.succeed();
    await wire.until(/(and more[\s\S]*){3}/);
    await gated.roundTrip();
    expect(drainedWhileWriting).to.deep.equal([false]);
  });

  it('G8: bytes of several holds are not left on the account of the connection, whose reading would stop', async () => {
    let more: () => void = () => {};
    gated = await new GatedServer().start((res, { labels }, req) => {
      if (req.url === '/later') return res.end('later answered');
      labels.add('one');
      res.write(BIG);
      more = () => {
        labels.add('two');
        res.end(`${BIG}the end`);
      };
      return undefined;
    });
    const wire = gated.request(get('/'));
    await gated.store.called();
    gated.store.succeed();
    await wire.until(/x{1000}/);
    more();
    await gated.store.called();
    gated.store.succeed();
    await wire.until(/the end/);
    await laterAnswers(wire);
  });

  it('G8: prefinish is emitted once where a label is added after the end', async () => {
    let count = 0;
    gated = await new GatedServer().start((res, { labels }) => {
      res.on('prefinish', () => count++);
      res.end('answer');
      labels.add('after the end');
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.succeed();
    await wire.closed();
    expect(count).to.equal(1);
  });

  describe('while a refusal is rendered', () => {
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
      it(`G3: a response ${what}, and that ends meanwhile, becomes the denial, and nothing crashes`, async () => {
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

    it('P62: the destruction of the socket is put off, and what is sent after it is lost', async () => {
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

  it('P62: what a handler sends after it has destroyed the socket is lost, also in a hold', async () => {
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

  it('G8: a stream whose events are labelled gets one listener, however many labels', async () => {
    const counts = new Set<number>();
    const ticks = deferred();
    gated = await new GatedServer().start(async (res, { labels }) => {
      res.writeHead(200).write('start');
      for (let n = 0; n < 20; n++) {
        labels.add(`label ${n}`);
        res.write(`event ${n};`);
        counts.add(res.listenerCount('finish'));
        await once(res, 'next');
      }
      res.end();
      ticks.resolve();
      return undefined;
    });
    let stream: ServerResponse | undefined;
    gated.server.prependListener('request', (_req, res) => {
      stream ??= res;
    });
    const wire = gated.request();
    for (let n = 0; n < 20; n++) {
      await gated.store.called();
      gated.store.succeed();
      await wire.until(new RegExp(`event ${n};`));
      stream?.emit('next');
    }
    await ticks.promise;
    await wire.closed();
    expect(Math.max(...counts)).to.be.at.most(2);
  });

  it('G2: labels, an end and more output after a refusal change nothing, and nothing crashes', async () => {
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

  it('G8: once the labels are persisted, output goes straight through', async () => {
    const sent: number[] = [];
    gated = await new GatedServer().start(async (res, security) => {
      security.labels.add('secret');
      await security.persist();
      res.writeHead(200, { 'Content-Length': 4 }).flushHeaders();
      sent.push((res as ServerResponse & { outputSize: number }).outputSize, res.socket?.bytesWritten ?? 0);
      res.end('gone');
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.succeed();
    expect(await wire.closed()).to.match(/gone$/);
    expect(sent[0]).to.equal(0);
    expect(sent[1]).to.be.greaterThan(0);
  });

  it('P39: persist() does not let out what the handler has corked', async () => {
    const persisted = deferred();
    const uncork = deferred();
    gated = await new GatedServer().start(async (res, security) => {
      res.cork();
      res.writeHead(200, { 'Content-Length': 4 }).flushHeaders();
      security.labels.add('secret');
      await security.persist();
      persisted.resolve();
      await uncork.promise;
      res.uncork();
      res.end('gone');
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.succeed();
    await persisted.promise;
    await gated.roundTrip();
    expect(wire.received).to.equal('');
    uncork.resolve();
    expect(await wire.closed()).to.match(/gone$/);
  });

  it('G8: listeners that the connection calls are called on the response itself', async () => {
    const seen: unknown[] = [];
    let own: ServerResponse | undefined;
    gated = await new GatedServer().start((res, { labels }) => {
      own = res;
      labels.add('secret');
      res.on('timeout', function (this: unknown) {
        seen.push(this === res);
      });
      res.on('close', function (this: unknown) {
        seen.push(this === res, res.destroyed, res.closed);
      });
      res.end('x');
      res.socket?.emit('timeout');
    });
    const wire = gated.request();
    await gated.store.called();
    wire.destroy();
    while (!own?.closed) await gated.roundTrip();
    expect(seen).to.deep.equal([true, true, true, true]);
    gated.store.succeed();
  });

  it('P45: a response one of whose methods cannot be configured costs no more than its own connection', async () => {
    let own: ServerResponse | undefined;
    gated = await new GatedServer().start((res, { labels }) => {
      own = res;
      Object.defineProperty(res, 'emit', { value: res.emit });
      labels.add('secret');
      res.end('x');
    });
    const wire = gated.request();
    await gated.store.called();
    wire.destroy();
    while (!own?.closed) await gated.roundTrip();
    gated.store.succeed();
    expect(await gated.roundTrip()).to.match(/probe answered$/);
  });

  it('G1: a response that is detached and attached again, with a label between, is held', async () => {
    let again: () => void = () => {};
    const open = deferred();
    gated = await new GatedServer().start(async (res, security) => {
      security.labels.add('one');
      await security.persist();
      again = () => {
        const { socket } = res;
        if (!socket) throw new Error('no socket');
        res.detachSocket(socket);
        security.labels.add('two');
        res.assignSocket(socket);
        res.end('SECRET');
      };
      open.resolve();
    });
    const wire = gated.request();
    await gated.store.called();
    gated.store.succeed();
    await open.promise;
    again();
    await gated.store.called();
    await gated.roundTrip();
    expect(wire.received).to.equal('');
    gated.store.succeed();
    expect(await wire.closed()).to.match(/SECRET$/);
  });
});
