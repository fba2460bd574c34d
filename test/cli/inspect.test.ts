import { expect } from 'chai';
import { ENROLLED } from '../../lib/labels/enrolment.js';
import { sha256Hex } from '../../lib/session/digest.js';
import { sessionIdFor } from '../../lib/testing.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { describeWithValkey } from '../support/valkey.js';
import { type CliRun, runCli } from './run-cli.js';

const MINUTE_MS = 60_000;
const SESSION = '68755f41a98324d6';
const KEY = `taint:v1:${sha256Hex(SESSION)}`;

describeWithValkey('inspect', (server) => {
  const inspect = (...args: string[]): Promise<CliRun> => runCli(['inspect', server().url, ...args]);
  const append = async (session: string, labels: readonly string[], ttlSeconds?: number): Promise<void> => {
    const store = new ValkeySessionStore({
      endpoint: server().url,
      connectTimeoutMs: 5_000,
      ...(ttlSeconds !== undefined && { ttlSeconds }),
    });
    await store.appendLabels(session, labels);
    await store.close();
  };
  beforeEach(() => server().flush());

  it('shows the labels of a session by its id, sorted, and when it expires', async function () {
    this.timeout(MINUTE_MS);
    await append(SESSION, ['secret', 'PII', ENROLLED], 86_400);
    const run = await inspect('--session', SESSION);
    expect(run).to.include({ code: 0, stderr: '' });
    expect(run.stdout.replace(/in 86\d\d\d s/, 'in N s')).to.equal(
      [
        `  session   ${SESSION}`,
        `  key       ${KEY}`,
        '  expires   in N s, unless a request uses the session before',
        '  enrolled  yes',
        '  labels    PII',
        '            secret',
        '',
      ].join('\n'),
    );
  });

  it('--json has the same, and reading changes nothing', async function () {
    this.timeout(MINUTE_MS);
    await append(SESSION, ['secret'], 500);
    const { stdout } = await inspect('--session', SESSION, '--json');
    const { ttlSeconds, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    expect(rest).to.deep.equal({
      session: SESSION,
      key: KEY,
      expiry: 'in_seconds',
      enrolled: false,
      labels: ['secret'],
    });
    expect(ttlSeconds).to.be.within(400, 500);
    expect(await server().admin.ttl(KEY)).to.be.within(400, 500);
  });

  it('derives the id from a subject as subjectSession() does', async function () {
    this.timeout(MINUTE_MS);
    const cases: ReadonlyArray<readonly [Parameters<typeof sessionIdFor>[0], readonly string[]]> = [
      [{ subject: 'alice', sessionId: 'chat-1' }, ['--session-id', 'chat-1']],
      [{ subject: 'alice', claim: 'c', keying: 'strict' }, ['--claim', 'c', '--keying', 'strict']],
      [{ subject: 'alice', caller: 'a', gateway: 'g' }, ['--caller', 'a', '--gateway', 'g']],
    ];
    for (const [session, args] of cases) {
      await append(sessionIdFor(session), ['secret']);
      const { stdout } = await inspect('--subject', 'alice', ...args, '--json');
      expect(JSON.parse(stdout)).to.include({ session: sessionIdFor(session), expiry: 'never' });
      expect(JSON.parse(stdout)).to.deep.include({ labels: ['secret'] });
    }
  });

  it('an unknown session is said to be unknown', async function () {
    this.timeout(MINUTE_MS);
    const { code, stdout } = await inspect('--session', 'nobody');
    expect(code).to.equal(0);
    expect(stdout).to.include('expires   the server has no such session').and.to.include('labels    none');
  });

  it('a value that is no set of labels is a failure with its code', async function () {
    this.timeout(MINUTE_MS);
    await server().admin.set(KEY, 'text');
    const run = await inspect('--session', SESSION);
    expect(run).to.include({ code: 2, stdout: '' });
    expect(run.stderr).to.match(/WRONGTYPE.*\(store\.command_failed\)/);
  });

  it('a label shows its characters that have no shape', async function () {
    this.timeout(MINUTE_MS);
    await append(SESSION, ['se\u200bcret']);
    expect((await inspect('--session', SESSION)).stdout).to.include('labels    se\\u{200b}cret');
  });

  it('a user without the right to TTL sees the labels', async function () {
    this.timeout(MINUTE_MS);
    await append(SESSION, ['secret']);
    await server().admin.call('ACL', 'SETUSER', 'cli-reader', 'reset', 'on', '>reader-pw', '~taint:v1:*', '+smembers');
    try {
      const env = { VALKEY_USERNAME: 'cli-reader', VALKEY_PASSWORD: 'reader-pw' };
      const run = await runCli(['inspect', server().url, '--session', SESSION], { env });
      expect(run.code).to.equal(0);
      expect(run.stdout).to.include('unknown: the user has no right to run TTL').and.to.include('labels    secret');
    } finally {
      await server().admin.call('ACL', 'DELUSER', 'cli-reader');
    }
  });
});
