import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { VALKEY_RIGHTS } from '../support/group-security.js';
import { describeWithSecureValkey, PASSWORD, USERNAME } from '../support/secure-valkey.js';
import { describeWithDedicatedValkey } from '../support/valkey.js';
import { freePort } from '../support/valkey-servers.js';
import { type CliRun, faultsIn, reportIn, runCli } from './run-cli.js';

const MINUTE_MS = 60_000;
/** These tests are not about deadlines, and the machine that runs them may be busy. */
const PATIENT = ['--connect-timeout-ms', '10000', '--command-timeout-ms', '10000'];
const LOGIN = { VALKEY_USERNAME: USERNAME, VALKEY_PASSWORD: PASSWORD };

describeWithSecureValkey('doctor over TLS with a client certificate, as an ACL user', (server) => {
  let dir: string;
  let files: string[];

  const doctor = (args: readonly string[] = [], env: Readonly<Record<string, string>> = LOGIN): Promise<CliRun> =>
    runCli(['doctor', server().endpoint, '--json', ...files, ...PATIENT, ...args], { env });
  const findingIn = (run: CliRun, name: string) =>
    reportIn(run).findings.find((finding) => finding.name === name) ?? expect.fail(`no finding ${name}`);
  const configure = (...settings: string[]): Promise<unknown> =>
    server().plain.admin.call('CONFIG', 'SET', ...settings);

  before(async function () {
    this.timeout(MINUTE_MS);
    dir = mkdtempSync(join(tmpdir(), 'apl-cli-'));
    const { authority, client } = server();
    const texts = { ca: authority.cert, cert: client.cert, key: client.key };
    files = Object.entries(texts).flatMap(([name, text]) => {
      writeFileSync(join(dir, name), text);
      return [`--tls-${name}`, join(dir, name)];
    });
    await configure('maxmemory', '256mb', 'appendonly', 'yes');
    await eventually(async () =>
      expect(await server().plain.admin.info('persistence')).to.include('aof_rewrite_in_progress:0'),
    );
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  beforeEach(() => server().grant(...VALKEY_RIGHTS));

  it('a server as docs/operations.md describes it is all ok', async function () {
    this.timeout(MINUTE_MS);
    const run = await doctor();
    expect(faultsIn(run)).to.deep.equal([]);
    expect(run).to.include({ code: 0, stderr: '' });
    expect(findingIn(run, 'address').detail).to.match(/^reached in \d+ ms with TLSv1\.3$/);
    expect(findingIn(run, 'certificate').detail).to.match(/^valid until \d{4}-\d\d-\d\d, 89 days from now$/);
    const names = reportIn(run).findings.map(({ name }) => name);
    expect(names).to.include.members(['connection', 'latency', 'clock', 'replication', 'append_only_file', 'role']);
    expect(names).to.include.members(['+smembers', '+sadd +multi', '+expire', '+exec', 'server_version']);
  });

  it('the rights are tried without a trace but for the three excess ones', async function () {
    this.timeout(MINUTE_MS);
    await doctor(['--no-excess']);
    expect(await server().denied()).to.deep.equal([]);
    await doctor();
    expect(await server().denied()).to.have.length(3);
  });

  it('the probe key expires after a minute', async function () {
    this.timeout(MINUTE_MS);
    await server().plain.flush();
    expect(await doctor()).to.include({ code: 0 });
    const keys = await server().plain.admin.keys('*');
    expect(keys).to.have.length(1);
    expect(keys[0]).to.match(/^taint:v1:doctor:/);
    expect(await server().plain.admin.ttl(keys[0] ?? '')).to.be.within(1, 60);
  });

  it('--no-ttl needs no right of a TTL, and keeps one key', async function () {
    this.timeout(MINUTE_MS);
    await server().plain.flush();
    await server().grant(...VALKEY_RIGHTS.filter((right) => !/expire|multi|exec/.test(right)));
    for (const _ of [1, 2]) {
      const run = await doctor(['--no-ttl', '--no-excess']);
      expect(faultsIn(run)).to.deep.equal([]);
      expect(run.code).to.equal(0);
    }
    expect(await server().denied()).to.deep.equal([]);
    expect(await server().plain.admin.keys('*')).to.deep.equal(['taint:v1:doctor:{0}']);
  });

  const missing: ReadonlyArray<readonly [right: string, code: number, faults: readonly string[]]> = [
    ['+smembers', 2, ['+smembers failure', '+sadd +multi failure']],
    ['+sadd', 2, ['+sadd +multi failure']],
    ['+multi', 2, ['+sadd +multi failure']],
    ['+exec', 2, ['+exec failure', '+sadd +multi unknown']],
    ['+expire', 2, ['+expire failure', '+sadd +multi unknown']],
    ['+echo', 1, ['+echo warning']],
    ['+client|capa', 1, ['+client|capa warning']],
    ['+config|get', 1, ['append_fsync unknown', '+config|get warning']],
    [
      '+info',
      1,
      ['evicted_keys', 'role', 'server_version', 'memory', 'disk_writes', 'replication', 'clock']
        .map(unknown)
        .concat('+info warning'),
    ],
  ];
  for (const [right, code, faults] of missing) {
    it(`without ${right} the finding names it, exit code ${code}`, async function () {
      this.timeout(MINUTE_MS);
      await server().plain.flush();
      await server().grant(...VALKEY_RIGHTS.filter((granted) => granted !== right));
      const run = await doctor();
      expect(faultsIn(run)).to.deep.equal(faults);
      expect(run.code).to.equal(code);
      // a probe key that could not expire was not written
      for (const key of await server().plain.admin.keys('*'))
        expect(await server().plain.admin.ttl(key)).to.be.above(0);
    });
  }

  const excess: ReadonlyArray<readonly [rules: readonly string[], detail: string]> = [
    [['+del'], 'the user may delete labels (+del)'],
    [['~*'], 'the user may read keys outside of taint:v1:*'],
    [['+acl|whoami', '+acl|dryrun', '+flushall'], 'the user may run flushall'],
    [
      ['+acl|whoami', '+acl|dryrun', '+acl|setuser', '+config|set', '+shutdown', '~*', '+keys'],
      'the user may read keys outside of taint:v1:*; run keys, config set, acl setuser, shutdown',
    ],
  ];
  for (const [rules, detail] of excess) {
    it(`the rights ${rules.join(' ')} are too wide`, async function () {
      this.timeout(MINUTE_MS);
      await server().grant(...VALKEY_RIGHTS, ...rules);
      const run = await doctor();
      expect(faultsIn(run)).to.deep.equal(['excess_rights warning']);
      expect(findingIn(run, 'excess_rights').detail).to.equal(detail);
      expect(run.code).to.equal(1);
    });
  }

  it('a full server is a failure of the append that was tried', async function () {
    this.timeout(MINUTE_MS);
    await configure('maxmemory', '1kb');
    try {
      const run = await doctor();
      expect(faultsIn(run)).to.deep.equal(['memory warning', '+sadd +multi failure']);
      const { code, detail } = findingIn(run, '+sadd +multi');
      expect(code).to.equal('store.command_failed');
      expect(detail).to.include('OOM');
      expect(run.code).to.equal(2);
    } finally {
      await configure('maxmemory', '256mb');
    }
  });

  it('--synced proves that appends wait for the disk', async function () {
    this.timeout(MINUTE_MS);
    const lazy = await doctor(['--synced']);
    expect(faultsIn(lazy)).to.deep.equal(['append_fsync warning', 'durability failure']);
    expect(findingIn(lazy, 'durability')).to.include({ code: 'store.not_synced' });
    expect(lazy.code).to.equal(2);
    await configure('appendfsync', 'always');
    try {
      const synced = await doctor(['--synced']);
      expect(faultsIn(synced)).to.deep.equal([]);
      expect(findingIn(synced, 'durability').detail).to.equal('an append is confirmed by the disk');
    } finally {
      await configure('appendfsync', 'everysec');
    }
  });

  it('a refused login is a failure with its code', async function () {
    this.timeout(MINUTE_MS);
    const run = await doctor([], { ...LOGIN, VALKEY_PASSWORD: 'another-password' });
    expect(faultsIn(run)).to.deep.equal(['connection failure']);
    expect(findingIn(run, 'connection')).to.include({ code: 'store.login_failed' });
    expect(run.code).to.equal(2);
  });

  it('a missing client certificate is a failure with its code', async function () {
    this.timeout(MINUTE_MS);
    const run = await runCli(['doctor', server().endpoint, '--json', ...files.slice(0, 2), ...PATIENT], { env: LOGIN });
    expect(findingIn(run, 'connection')).to.include({ code: 'store.tls_failed' });
    expect(run.code).to.equal(2);
  });

  it('an authority that is not trusted is a failure with its code', async function () {
    this.timeout(MINUTE_MS);
    const run = await runCli(['doctor', `rediss://${server().endpoint}`, '--json'], { env: LOGIN });
    expect(findingIn(run, 'address')).to.include({ code: 'store.certificate_untrusted', status: 'failure' });
    expect(run.code).to.equal(2);
  });

  describe('other certificates', () => {
    afterEach(() => server().present('server'));

    it('an expired one is a failure with its code', async function () {
      this.timeout(MINUTE_MS);
      await server().present('expired');
      const run = await doctor();
      expect(findingIn(run, 'address')).to.include({ code: 'store.certificate_expired', status: 'failure' });
      expect(run.code).to.equal(2);
    });

    it('one for another name is a failure, and ok with --tls-servername', async function () {
      this.timeout(MINUTE_MS);
      await server().present('elsewhere');
      const wrong = await doctor();
      expect(findingIn(wrong, 'address')).to.include({ code: 'store.certificate_wrong_name' });
      const right = await doctor(['--tls-servername', 'valkey.elsewhere.example']);
      // it expires tomorrow
      expect(faultsIn(right)).to.deep.equal(['certificate warning']);
      expect(right.code).to.equal(1);
    });
  });

  it('rediss:// and redis:// take the login from the environment', async function () {
    this.timeout(MINUTE_MS);
    const secure = await runCli(['doctor', `rediss://${server().endpoint}`, '--json', ...files, ...PATIENT], {
      env: LOGIN,
    });
    expect(faultsIn(secure)).to.deep.equal([]);
    const { host, port } = server().plain;
    const plain = await runCli(['doctor', `redis://${host}:${port}`, '--json', ...PATIENT], { env: LOGIN });
    expect(faultsIn(plain)).to.deep.equal([]);
  });
});

describeWithDedicatedValkey('doctor in plain text', (server) => {
  const settings = { maxmemory: '256mb', 'maxmemory-policy': 'noeviction' };
  const doctor = (...args: string[]): Promise<CliRun> =>
    runCli(['doctor', new URL(server().url).host, ...PATIENT, ...args]);
  const configure = async (changes: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, value] of Object.entries(changes)) await server().admin.config('SET', name, value);
  };
  beforeEach(() => configure(settings));

  it('prints a table with the fix under each finding, and no colours', async function () {
    this.timeout(MINUTE_MS);
    await configure({ 'maxmemory-policy': 'allkeys-lru' });
    const run = await doctor('--no-excess');
    expect(run).to.include({ code: 1, stderr: '' });
    expect(run.stdout).to.match(/^127\.0\.0\.1:\d+\n {2}ok {7}address /);
    expect(run.stdout).to.match(
      /^ {2}warning {2}eviction_policy {3}maxmemory_policy is allkeys-lru\n {11}Set maxmemory-policy/m,
    );
    expect(run.stdout).to.match(/^\d+ ok, 0 unknown, 2 warnings, 0 failures\n$/m);
    expect(run.stdout).to.not.include('\u001b');
  });

  it('a replica is a failure', async function () {
    this.timeout(MINUTE_MS);
    await server().admin.replicaof('127.0.0.1', await freePort());
    try {
      const run = await doctor('--json');
      expect(faultsIn(run)).to.deep.equal(['connection failure']);
      expect(reportIn(run).findings.at(-1)?.detail).to.include('the server is a replica');
      expect(run.code).to.equal(2);
    } finally {
      await server().admin.replicaof('NO', 'ONE');
    }
  });

  it('a server that hangs is a failure within its deadlines', async function () {
    this.timeout(MINUTE_MS);
    await server().stop();
    try {
      const run = await doctor('--json');
      expect(faultsIn(run)).to.deep.equal(['connection failure']);
      expect(run.code).to.equal(2);
    } finally {
      await server().cont();
    }
  });

  it('a port without a server is a failure at once', async function () {
    this.timeout(MINUTE_MS);
    const run = await runCli(['doctor', `127.0.0.1:${await freePort()}`, '--json']);
    expect(reportIn(run)).to.deep.include({ status: 'failure' });
    expect(reportIn(run).findings.map(({ name, code }) => [name, code])).to.deep.equal([
      ['address', 'store.unavailable'],
    ]);
    expect(run.code).to.equal(2);
  });
});

function unknown(name: string): string {
  return `${name} unknown`;
}
