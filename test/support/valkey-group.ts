import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import { findBinary, freePort, IMAGE, ping, relayUnlessLoopback, type TlsFiles, tlsArgs } from './valkey-servers.js';

const execFileAsync = promisify(execFile);

/** One process of a group: a server, or a Sentinel. What it has on disk outlives it. */
export interface ValkeyNode {
  readonly port: number;
  /** The port with TLS in a group that has certificates, else `port`. */
  readonly peerPort: number;
  readonly url: string;
  /** A client with all rights, which finds the process again after a restart. */
  readonly admin: Redis;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP, and SIGCONT. */
  stop(): Promise<void>;
  cont(): Promise<void>;
  /** Starts it again after `kill`, with these arguments, by default with the same arguments as before. */
  restart(args?: readonly string[]): Promise<void>;
}

/** Valkey processes that reach each other, and that tests reach, as 127.0.0.1 with one port each. */
export interface ValkeyGroup {
  /** One more process; its configuration file is there, and empty. */
  start(...args: readonly string[]): Promise<ValkeyNode>;
  /** Runs a script in which lines that begin with `valkey-cli` are for this node; resolves with its output. */
  shell(node: ValkeyNode, script: string, env?: Readonly<Record<string, string>>): Promise<string>;
  /** A port for the processes to talk to each other. */
  innerPort(): Promise<number>;
}

/** Where the processes run. */
interface Host {
  readonly ports: readonly number[];
  spawn(name: string, script: string): Promise<Process>;
  directory(name: string): string;
  readonly binary: string;
  readonly args: readonly string[];
  /** The directory with the certificates, if there are any. */
  readonly tlsDir: string | undefined;
  /** The command with which a shell calls `valkey-cli`. */
  readonly cli: string;
  close(): Promise<void>;
}

interface Process {
  signal(name: 'KILL' | 'STOP' | 'CONT'): Promise<void>;
}

export interface GroupOptions {
  /**
   * The processes connect to ports of the tests, proxies for example. A container cannot do that, so the suite runs on the
   * binary; without one it is pending where Docker was asked for.
   */
  readonly reachesTests?: boolean;
}

/** A suite on a group of at most `size` processes, each in a directory of its own. */
export function describeWithValkeyGroup(
  title: string,
  size: number,
  define: (group: () => ValkeyGroup) => void,
  files?: () => TlsFiles,
  options: GroupOptions = {},
): void {
  describe(title, () => {
    let opened: OpenedGroup | undefined;
    before('finds a Valkey', async function () {
      this.timeout(60_000);
      try {
        opened = await openValkeyGroup(size, files?.(), options);
      } catch (error) {
        const isElsewhere = options.reachesTests && process.env['VALKEY_TEST_SOURCE'] === 'docker';
        if (process.env['REQUIRE_VALKEY_TESTS'] === '1' && !isElsewhere) throw error;
        console.warn(`      pending, no Valkey: ${(error as Error).message}`);
        this.skip();
      }
    });
    after('stops the processes', () => opened?.close());
    define(() => opened?.group ?? expectGroup());
  });
}

interface OpenedGroup {
  readonly group: ValkeyGroup;
  close(): Promise<void>;
}

/** The same outside a suite. With certificates, each process listens with TLS too, and uses TLS to reach the others. */
export async function openValkeyGroup(
  size: number,
  files?: TlsFiles,
  options: GroupOptions = {},
): Promise<OpenedGroup> {
  const host = await findHost(files ? 2 * size : size, files, options);
  const group = new OpenGroup(host);
  return {
    group,
    close: async () => {
      await group.close();
      await host.close();
    },
  };
}

function expectGroup(): never {
  throw new Error('The processes of a suite are there from its first hook on.');
}

/** As for single servers: where a source was asked for by name it must work, else the first that works is taken. */
async function findHost(portCount: number, files: TlsFiles | undefined, { reachesTests }: GroupOptions): Promise<Host> {
  const ports = await Promise.all(Array.from({ length: portCount }, freePort));
  const forced = process.env['VALKEY_TEST_SOURCE'];
  if (forced === 'binary' || reachesTests) return localHost(ports, files);
  if (forced === 'docker') return containerHost(ports, files);
  return containerHost(ports, files).catch(() => localHost(ports, files));
}

class OpenGroup implements ValkeyGroup {
  readonly #host: Host;
  readonly #admins: Redis[] = [];
  #count = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  innerPort(): Promise<number> {
    return freePort();
  }

  async start(...args: readonly string[]): Promise<ValkeyNode> {
    const host = this.#host;
    const name = `node-${this.#count}`;
    const port = this.#nextPort();
    const { tlsDir } = host;
    const tls = tlsDir === undefined ? undefined : { port: this.#nextPort(), dir: tlsDir };
    const tlsWords = tls ? [...tlsArgs(tls), '--tls-replication', 'yes', '--tls-cluster', 'yes'] : [];
    const dir = host.directory(name);
    let current: Process;
    let latest = args;
    const run = async (): Promise<void> => {
      const files = ['--dbfilename', `${name}.rdb`, '--appenddirname', `${name}.aof`];
      const words = [`${dir}/${name}.conf`, '--port', String(port), '--dir', dir, ...host.args, ...tlsWords, ...latest];
      const sentinel = latest.includes('--sentinel');
      const quoted = [...words, ...(sentinel ? [] : files)].map((word) => `'${word}'`);
      current = await host.spawn(name, `: >>${dir}/${name}.conf && exec ${host.binary} ${quoted.join(' ')}`);
      await eventually(() => ping('127.0.0.1', port), { withinMs: 10_000 });
    };
    await run();
    const admin = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50 });
    admin.on('error', () => {});
    this.#admins.push(admin);
    return {
      port,
      peerPort: tls?.port ?? port,
      url: `redis://127.0.0.1:${port}`,
      admin,
      kill: async () => {
        await current.signal('KILL');
        await eventually(
          async () =>
            await ping('127.0.0.1', port).then(
              () => false,
              () => true,
            ),
        );
      },
      stop: () => current.signal('STOP'),
      cont: () => current.signal('CONT'),
      restart: async (again = latest) => {
        latest = again;
        await run();
        await eventually(async () => (await admin.ping()) === 'PONG');
      },
    };
  }

  #nextPort(): number {
    const port = this.#host.ports[this.#count++];
    if (port === undefined) throw new Error('The group is to have more processes.');
    return port;
  }

  async shell(node: ValkeyNode, script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    // not every shell takes a function of that name
    const commands = script.replaceAll(/^valkey-cli /gm, `${this.#host.cli} -p ${node.port} `);
    const { stdout } = await execFileAsync('sh', ['-ec', commands], { env: { ...process.env, ...env } });
    return stdout;
  }

  async close(): Promise<void> {
    for (const admin of this.#admins) admin.disconnect();
  }
}

function localHost(ports: readonly number[], files: TlsFiles | undefined): Host {
  const root = mkdtempSync(join(tmpdir(), 'apl-valkeys-'));
  for (const [name, text] of Object.entries(files ?? {})) writeFileSync(join(root, name), text, { mode: 0o600 });
  const children = new Set<ChildProcess>();
  const killAll = (): void => {
    for (const child of children) child.kill('SIGKILL');
  };
  process.once('exit', killAll);
  return {
    ports,
    binary: findBinary(),
    args: ['--bind', '127.0.0.1'],
    tlsDir: files && root,
    cli: 'valkey-cli',
    directory(name) {
      mkdirSync(join(root, name));
      return join(root, name);
    },
    async spawn(_name, script) {
      const child = spawn('sh', ['-c', script], { stdio: 'ignore' });
      children.add(child);
      child.once('exit', () => children.delete(child));
      return {
        async signal(name) {
          const exit = once(child, 'exit');
          child.kill(`SIG${name}`);
          if (name === 'KILL') await exit;
        },
      };
    },
    async close() {
      const exits = [...children].map((child) => once(child, 'exit'));
      killAll();
      await Promise.all(exits);
      process.off('exit', killAll);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/**
 * One container for all, whose ports are published under their own numbers: so the addresses that they tell are right.
 * Only what a shell can do by itself is used there, for an image may have nothing else.
 */
async function containerHost(ports: readonly number[], files: TlsFiles | undefined): Promise<Host> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(IMAGE)
    .withCopyContentToContainer(
      Object.entries(files ?? {}).map(([name, content]) => ({ content, target: `/tls/${name}` })),
    )
    .withExposedPorts(...ports.map((port) => ({ container: port, host: port })))
    .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
    .start();
  const relays = await Promise.all(ports.map((port) => relayUnlessLoopback(container.getHost(), port)));
  return {
    ports,
    args: ['--protected-mode', 'no'],
    binary: 'valkey-server',
    tlsDir: files && '/tls',
    cli: `docker exec -i ${container.getId()} valkey-cli`,
    directory: () => '/data',
    async spawn(name, script) {
      const pidFile = `/data/${name}.pid`;
      await container.exec(['sh', '-c', `(${script}) >/dev/null 2>&1 & echo $! >${pidFile}`]);
      return {
        signal: async (signal) => {
          await container.exec(['sh', '-c', `read pid <${pidFile}; kill -${signal} $pid`]);
        },
      };
    },
    async close() {
      for (const relay of relays) relay?.close();
      await container.stop({ timeout: 0 });
    },
  };
}
