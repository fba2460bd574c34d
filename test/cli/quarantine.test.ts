import { expect } from 'chai';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { describeWithValkey } from '../support/valkey.js';
import { type CliRun, runCli } from './run-cli.js';

const SESSION = '68755f41a98324d6';

describeWithValkey('quarantine and explain', (server) => {
  const run = (command: string, ...args: string[]): Promise<CliRun> =>
    runCli([command, server().url, '--session', SESSION, ...args]);
  let store: ValkeySessionStore;
  beforeEach(async () => {
    await server().flush();
    store = new ValkeySessionStore({ endpoint: server().url, connectTimeoutMs: 5_000, provenance: { node: 'web-1' } });
  });
  afterEach(() => store.close());

  it('the next load of a store meets the label, and explain names the command', async () => {
    const added = await run('quarantine', '--label', 'quarantined', '--provenance', '--ttl-seconds', '600');
    expect(added).to.deep.equal({ code: 0, stdout: `The session ${SESSION} has the label quarantined.\n`, stderr: '' });
    expect(await store.loadLabels(SESSION)).to.deep.equal(['quarantined']);
    const { stdout } = await run('explain', '--json');
    const { labels } = JSON.parse(stdout) as { labels: object[] };
    expect(labels[0]).to.include({ label: 'quarantined', by: 'quarantine' });
    const [key = ''] = await server().admin.keys('taint:v1:*');
    expect(await server().admin.ttl(key)).to.be.within(500, 600);
  }).timeout(60_000);

  it('explain shows the route, the guard, the node and the request', async () => {
    const origin = { atMs: Date.UTC(2026, 0, 31), route: 'GET /salaries', by: 'taint', requestId: 'r-1' };
    await store.appendLabels(SESSION, ['secret'], new Map([['secret', origin]]));
    const { code, stdout } = await run('explain');
    expect(code).to.equal(0);
    expect(stdout.replace(/ {2,}/g, '  ')).to.include(
      '  secret  2026-01-31T00:00:00.000Z  GET /salaries  taint  web-1  r-1\n',
    );
  }).timeout(60_000);

  it('a session without labels is not an error', async () => {
    const { code, stdout } = await run('explain');
    expect([code, stdout]).to.deep.equal([0, `  session   ${SESSION}\n  enrolled  no\n\nThe session has no labels.\n`]);
  }).timeout(60_000);

  for (const [what, args, message] of [
    ['no label', [], /--label/],
    ['a label that is not valid', ['--label', 'a\u0001b'], /label/],
    ['a TTL of 0', ['--label', 'x', '--ttl-seconds', '0'], /positive integer/],
  ] as const) {
    it(`quarantine with ${what} is a wrong call, and adds nothing`, async () => {
      const { code, stdout, stderr } = await run('quarantine', ...args);
      expect([code, stdout]).to.deep.equal([3, '']);
      expect(stderr).to.match(message);
      expect(await store.loadLabels(SESSION)).to.deep.equal([]);
    }).timeout(60_000);
  }
});
