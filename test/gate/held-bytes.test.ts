import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { deferred } from '../support/deferred.js';
import { expectLaterAnswers, GatedServer } from '../support/gated-server.js';
import { get } from '../support/raw-http.js';

const BIG = 'x'.repeat(200_000);

describe('Bytes and events of a held response', () => {
  let gated: GatedServer;

  afterEach(() => gated.stop());

  it('G8: a HEAD without a length ends with its head, so nothing is held', async () => {
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

  it('G8: bytes of several holds leave the pending count of the connection', async () => {
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
    await expectLaterAnswers(wire);
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

  it('G8: a stream with many labels adds one listener', async () => {
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

  it('G8: once the labels are persisted, output leaves at once', async () => {
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

  it('P39: persist() does not flush what the handler has corked', async () => {
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

  it('G8: listeners of the connection run with the response as this', async () => {
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

  it('P45: a method that is not configurable costs only its connection', async () => {
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

  it('G1: a response detached and attached again around a label is held', async () => {
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
