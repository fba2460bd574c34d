import { expect } from 'chai';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { deferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { describeWithDedicatedValkey } from '../support/valkey.js';
import { type CliRun, runCli } from './run-cli.js';

const MINUTE_MS = 60_000;

interface Sizes {
  readonly sizes: ReadonlyArray<{ labels: number; bytesPerSession: number; sessionsPerGiB: number }>;
  readonly probeKeys: string;
}

describeWithDedicatedValkey('capacity', (server) => {
  const capacity = (...args: string[]): Promise<CliRun> => runCli(['capacity', server().url, ...args]);
  const usedMemory = async (): Promise<number> =>
    Number(/^used_memory:(\d+)/m.exec(await server().admin.info('memory'))?.[1]);
  beforeEach(() => server().flush());

  it('prints a table of sizes, and removes its keys', async function () {
    this.timeout(MINUTE_MS);
    const run = await capacity();
    expect(run).to.include({ code: 0, stderr: '' });
    const rows = [...run.stdout.matchAll(/^ +(\d+) +([\d,]+) +([\d,]+) +([\d,]+)$/gm)];
    expect(rows.map(([, labels]) => labels)).to.deep.equal(['1', '5', '50']);
    expect(run.stdout).to.include('The probe keys were removed.');
    expect(await server().admin.dbsize()).to.equal(0);
  });

  it('bytes a session are what used_memory grows by', async function () {
    this.timeout(MINUTE_MS);
    const { stdout } = await capacity('--json', '--labels', '1,5', '--label-bytes', '12');
    const { sizes } = JSON.parse(stdout) as Sizes;
    for (const { labels, bytesPerSession, sessionsPerGiB } of sizes) {
      // the default is to free the memory later
      await server().admin.flushdb('SYNC');
      const store = new ValkeySessionStore({ endpoint: server().url, ttlSeconds: 600, commandTimeoutMs: 10_000 });
      await store.ready();
      const before = await usedMemory();
      const sessions = 20_000;
      const names = Array.from({ length: labels }, (_, index) => `${index}`.padStart(12, 'l'));
      for (let done = 0; done < sessions; done += 1_000) {
        await Promise.all(Array.from({ length: 1_000 }, (_, index) => store.appendLabels(`s${done + index}`, names)));
      }
      const growth = ((await usedMemory()) - before) / sessions;
      await store.close();
      expect(bytesPerSession / growth, `${labels} labels, ${growth} bytes each`).to.be.within(0.9, 1.2);
      expect(sessionsPerGiB).to.equal(Math.floor(2 ** 30 / bytesPerSession));
    }
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`${signal} removes its keys and ends with 130`, async function () {
      this.timeout(MINUTE_MS);
      const started = deferred<number>();
      const running = runCli(['capacity', server().url, '--keys', '10000000'], { onStart: started.resolve });
      await eventually(async () => (await server().admin.dbsize()) > 100, { withinMs: 30_000 });
      process.kill(await started.promise, signal);
      const run = await running;
      expect(run).to.deep.equal({ code: 130, stdout: '', stderr: 'error: interrupted\n' });
      expect(await server().admin.dbsize()).to.equal(0);
    });
  }

  it('without the right to delete, its keys expire within a minute', async function () {
    this.timeout(MINUTE_MS);
    const rights = '~taint:v1:* +sadd +expire +multi +exec +memory|usage +echo'.split(' ');
    await server().admin.call('ACL', 'SETUSER', 'cli-writer', 'reset', 'on', '>writer-pw', ...rights);
    const env = { VALKEY_USERNAME: 'cli-writer', VALKEY_PASSWORD: 'writer-pw' };
    const run = await runCli(['capacity', server().url, '--keys', '3', '--labels', '1'], { env });
    expect(run.code).to.equal(0);
    expect(run.stdout).to.include('They expire within 60 s.');
    const keys = await server().admin.keys('*');
    expect(keys).to.have.length(3);
    for (const key of keys) {
      expect(key).to.match(/^taint:v1:capacity:[0-9a-f]{55}$/);
      expect(await server().admin.ttl(key)).to.be.within(1, 60);
    }
  });

  it('without the right to MEMORY USAGE it fails, and names the right', async function () {
    this.timeout(MINUTE_MS);
    const rights = '~taint:v1:* +sadd +expire +multi +exec +del'.split(' ');
    await server().admin.call('ACL', 'SETUSER', 'cli-writer', 'reset', 'on', '>writer-pw', ...rights);
    const env = { VALKEY_USERNAME: 'cli-writer', VALKEY_PASSWORD: 'writer-pw' };
    const run = await runCli(['capacity', server().url], { env });
    expect(run).to.include({ code: 2, stdout: '' });
    expect(run.stderr).to.match(/memory\|usage.*\(store\.not_permitted\)/);
    expect(await server().admin.dbsize()).to.equal(0);
  });
});
