import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { GroupSecurity } from '../support/group-security.js';
import { describeWithValkeyGroup } from '../support/valkey-group.js';
import {
  type ClusterTopology,
  type SentinelTopology,
  startCluster,
  startSentinels,
  type Topology,
} from '../support/valkey-topologies.js';
import { type CliRun, faultsIn, reportIn, runCli } from './run-cli.js';

const MINUTE_MS = 60_000;
const PATIENT = ['--connect-timeout-ms', '10000', '--command-timeout-ms', '10000'];
/** What the servers of the tests are not: durable, and limited. */
const OF_TESTS = ['append_only_file warning', 'memory warning'];

/** The arguments and the environment for a topology with TLS and logins. */
class Access {
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly #dir = mkdtempSync(join(tmpdir(), 'apl-cli-'));

  constructor({ options }: Topology, { authority, client }: GroupSecurity) {
    const texts = { ca: authority.cert, cert: client.cert, key: client.key };
    const files = Object.entries(texts).flatMap(([name, text]) => {
      writeFileSync(join(this.#dir, name), text);
      return [`--tls-${name}`, join(this.#dir, name)];
    });
    const { sentinels = [], nodes = [], name, username, password, sentinelUsername, sentinelPassword } = options;
    const where = name ? ['--sentinels', sentinels.join(','), '--name', name] : ['--nodes', nodes.join(',')];
    this.args = [...where, ...files];
    this.env = Object.fromEntries(
      Object.entries({
        VALKEY_USERNAME: username,
        VALKEY_PASSWORD: password,
        SENTINEL_USERNAME: sentinelUsername,
        SENTINEL_PASSWORD: sentinelPassword,
      }).flatMap(([variable, value]) => (typeof value === 'string' ? [[variable, value] as const] : [])),
    );
  }

  doctor(...args: string[]): Promise<CliRun> {
    return runCli(['doctor', '--json', '--no-excess', ...this.args, ...PATIENT, ...args], { env: this.env });
  }

  run(command: string, ...args: string[]): Promise<CliRun> {
    return runCli([command, '--json', ...this.args, ...args], { env: this.env });
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Gives each session a label. */
async function append({ options }: Topology, sessions: readonly string[]): Promise<void> {
  const store = new ValkeySessionStore({ ...options, connectTimeoutMs: 10_000, commandTimeoutMs: 10_000 });
  try {
    for (const session of sessions) await store.appendLabels(session, [`of-${session}`]);
  } finally {
    await store.close();
  }
}

function withName(run: CliRun, name: string): ReadonlyArray<{ server: string; status: string; detail: string }> {
  return reportIn(run).findings.filter((finding) => finding.name === name);
}

const withoutCertificates = (faults: readonly string[]): string[] =>
  // the certificates of a group are valid for one day
  faults.filter((fault) => fault !== 'certificate warning');

const sentinelSecurity = new GroupSecurity();
describeWithValkeyGroup(
  'command line with Sentinels, over TLS with logins',
  6,
  (group) => {
    let topology: SentinelTopology;
    let access: Access;
    before(async function () {
      this.timeout(MINUTE_MS);
      topology = await startSentinels(group(), sentinelSecurity);
      access = new Access(topology, sentinelSecurity);
    });
    after(() => access?.close());

    it('doctor asks each Sentinel, and checks the primary', async function () {
      this.timeout(MINUTE_MS);
      const run = await access.doctor();
      const primary = `127.0.0.1:${(await topology.primaryOf('any')).peerPort}`;
      expect(withName(run, 'sentinel').map(({ detail }) => detail)).to.deep.equal(Array(3).fill(`names ${primary}`));
      expect(withName(run, 'sentinel_majority')).to.deep.include.members([
        {
          server: 'Sentinels',
          name: 'sentinel_majority',
          status: 'ok',
          detail: `3 of 3 listed Sentinels name ${primary}`,
        },
      ]);
      expect(withName(run, 'replication')).to.deep.equal([
        { server: primary, name: 'replication', status: 'ok', detail: '2 connected, all in step' },
      ]);
      expect(withoutCertificates(faultsIn(run))).to.deep.equal(OF_TESTS);
      expect(run.code).to.equal(1);
      expect(await topology.denied()).to.deep.equal([]);
    });

    it('--replicas proves that so many replicas confirm appends', async function () {
      this.timeout(MINUTE_MS);
      const two = await access.doctor('--replicas', '2', '--fenced-reads');
      expect(withName(two, 'durability')[0]).to.include({
        status: 'ok',
        detail: 'an append is confirmed by 2 replicas',
      });
      expect(withName(two, 'connected_replicas')[0]).to.include({ status: 'ok' });
      expect(withName(two, '+wait')[0]).to.include({ status: 'ok' });
      const three = await access.doctor('--replicas', '3');
      expect(withName(three, 'durability')[0]).to.include({ status: 'failure', code: 'store.not_replicated' });
      expect(three.code).to.equal(2);
      expect(await topology.denied()).to.deep.equal([]);
    });

    it('inspect and capacity use the primary', async function () {
      this.timeout(MINUTE_MS);
      await append(topology, ['s']);
      const inspected = await access.run('inspect', '--session', 's');
      expect(JSON.parse(inspected.stdout)).to.deep.include({ labels: ['of-s'], expiry: 'unknown' });
      // the user of the store has no right to MEMORY USAGE
      const measured = await access.run('capacity');
      expect(measured.code).to.equal(2);
      expect(measured.stderr).to.include('store.not_permitted');
    });

    it('a Sentinel that is down is a warning', async function () {
      this.timeout(MINUTE_MS);
      const [first] = topology.sentinels;
      await first?.kill();
      try {
        const run = await access.doctor();
        expect(withoutCertificates(faultsIn(run))).to.deep.equal(['address warning', 'sentinel warning', ...OF_TESTS]);
        expect(withName(run, 'sentinel_majority')[0]?.detail).to.match(/^2 of 3 listed/);
      } finally {
        await first?.restart();
      }
    });

    it('a name that the Sentinels do not know is a failure', async function () {
      this.timeout(MINUTE_MS);
      const run = await access.doctor('--name', 'other');
      expect(withoutCertificates(faultsIn(run)).at(-1)).to.equal('sentinel_majority failure');
      expect(run.code).to.equal(2);
    });

    it('a refused login of the Sentinels names its variables', async function () {
      this.timeout(MINUTE_MS);
      const env = { ...access.env, SENTINEL_PASSWORD: 'another-password' };
      const run = await runCli(['doctor', '--json', ...access.args], { env });
      const [finding] = reportIn(run).findings.filter(({ name }) => name === 'sentinel');
      expect(finding?.code).to.equal('store.login_failed');
      expect(finding?.fix).to.include('SENTINEL_PASSWORD');
      expect(run.code).to.equal(2);
    });
  },
  () => sentinelSecurity.files(),
);

const clusterSecurity = new GroupSecurity();
describeWithValkeyGroup(
  'command line with a cluster, over TLS with logins',
  6,
  (group) => {
    let topology: ClusterTopology;
    let access: Access;
    before(async function () {
      this.timeout(MINUTE_MS);
      topology = await startCluster(group(), clusterSecurity);
      access = new Access(topology, clusterSecurity);
    });
    after(() => access?.close());

    it('doctor checks every primary with all its rights', async function () {
      this.timeout(MINUTE_MS);
      const run = await access.doctor();
      const primaries = (await topology.primaries()).map(({ peerPort }) => `127.0.0.1:${peerPort}`);
      expect(withName(run, '+sadd +multi').map(({ server }) => server)).to.have.members(primaries);
      expect(withName(run, '+asking')).to.have.length(3);
      expect(withName(run, 'cluster_slots').map(({ detail }) => detail)).to.deep.equal([
        '16384 of 16384 slots have a primary',
      ]);
      expect(withoutCertificates(faultsIn(run))).to.deep.equal([...OF_TESTS, ...OF_TESTS, ...OF_TESTS]);
      expect(await topology.denied()).to.deep.equal([]);
    });

    it('a primary without a user for the labels is a failure', async function () {
      this.timeout(MINUTE_MS);
      const [, second] = await topology.primaries();
      await second?.admin.call('ACL', 'SETUSER', 'labels', '-sadd');
      const run = await access.doctor().finally(() => second?.admin.call('ACL', 'SETUSER', 'labels', '+sadd'));
      const failures = reportIn(run).findings.filter(({ status }) => status === 'failure');
      expect(failures.map(({ server, name }) => [server, name])).to.deep.equal([
        [`127.0.0.1:${second?.peerPort}`, '+sadd +multi'],
      ]);
      expect(run.code).to.equal(2);
    });

    it('inspect finds the session on its primary', async function () {
      this.timeout(MINUTE_MS);
      const sessions = await topology.sessions();
      await append(topology, sessions);
      for (const session of sessions) {
        const { stdout } = await access.run('inspect', '--session', session);
        expect(JSON.parse(stdout)).to.deep.include({ labels: [`of-${session}`] });
      }
    });

    it('capacity measures and removes keys of all slots', async function () {
      this.timeout(MINUTE_MS);
      const users = topology.servers.map(({ admin }) => admin);
      for (const admin of users) await admin.call('ACL', 'SETUSER', 'labels', '+memory|usage', '+del');
      await topology.flush();
      const { code, stdout } = await access.run('capacity', '--keys', '60');
      expect(code).to.equal(0);
      expect(JSON.parse(stdout)).to.include({ probeKeys: 'removed' });
      for (const { admin } of await topology.primaries()) expect(await admin.dbsize()).to.equal(0);
    });
  },
  () => clusterSecurity.files(),
);
