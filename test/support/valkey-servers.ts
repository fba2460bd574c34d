import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pipeline } from 'node:stream';
import { eventually } from './eventually.js';

/** A Valkey that tests may use. The four signals are there where the server is ours. */
export interface ValkeyServer {
  readonly source: 'url' | 'docker' | 'binary';
  readonly url: string;
  readonly signals?: ValkeySignals;
  /** There where the server was started with {@link TlsFiles}. */
  readonly tls?: TlsListener;
  /** Removes whatever was started. */
  close(): Promise<void>;
}

export interface ValkeySignals {
  /** The server keeps its connections and answers nothing. */
  stop(): Promise<void>;
  cont(): Promise<void>;
  kill(): Promise<void>;
  /** Starts the killed server again, empty, on the same port. */
  restart(): Promise<void>;
}

/** Files for a server that listens with TLS too: `ca.pem`, `server.pem`, `server.key`, and others to swap in. */
export type TlsFiles = Readonly<Record<string, string>>;

export interface TlsListener {
  readonly port: number;
  /** Where the server sees the files. */
  readonly dir: string;
}

export const IMAGE = 'valkey/valkey:8';
/** DEBUG RELOAD makes a server that loads its data. */
const SERVER_ARGS = ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes'];
const TLS_PORT_IN_CONTAINER = 6380;

/** Connections on the TLS port need a certificate of the authority in `ca.pem`. */
export function tlsArgs({ port, dir }: TlsListener): string[] {
  const files = ['--tls-ca-cert-file', 'ca.pem', '--tls-cert-file', 'server.pem', '--tls-key-file', 'server.key'];
  const paths = files.map((value) => (value.startsWith('--') ? value : `${dir}/${value}`));
  return ['--tls-port', String(port), ...paths, '--tls-auth-clients', 'yes'];
}

/** @throws if the server does not answer */
export async function existingServer(url: string): Promise<ValkeyServer> {
  const { hostname, port } = new URL(url);
  await eventually(() => ping(hostname.replace(/^\[(.*)\]$/, '$1'), Number(port || 6379)));
  return { source: 'url', url, close: async () => {} };
}

/** @throws if there is no `valkey-server`, nor a `redis-server` of 7.2 or newer, on the PATH */
export async function binaryServer(tlsFiles?: TlsFiles): Promise<ValkeyServer> {
  const command = findBinary();
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'apl-valkey-'));
  const tls = tlsFiles && { port: await freePort(), dir };
  for (const [name, text] of Object.entries(tlsFiles ?? {})) writeFileSync(join(dir, name), text, { mode: 0o600 });
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    ...SERVER_ARGS,
    ...(tls ? tlsArgs(tls) : []),
  ];
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const started = spawn(command, args, { stdio: 'ignore' });
    child = started;
    await eventually(() => {
      if (started.exitCode !== null) throw new Error(`${command} ended with status ${started.exitCode}.`);
      return ping('127.0.0.1', port);
    });
  };
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  const killAtExit = (): void => void child?.kill('SIGKILL');
  process.once('exit', killAtExit);
  await start();
  return {
    source: 'binary',
    url: `redis://127.0.0.1:${port}`,
    ...(tls && { tls }),
    signals: {
      stop: async () => void child?.kill('SIGSTOP'),
      cont: async () => void child?.kill('SIGCONT'),
      kill,
      restart: start,
    },
    close: async () => {
      await kill();
      process.off('exit', killAtExit);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** @throws if no Docker engine answers or the container does not start */
export async function dockerServer(tlsFiles?: TlsFiles): Promise<ValkeyServer> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers');
  const runtime = await getContainerRuntimeClient();
  // a container that is started again gets another port, unless it asks for this one
  const port = await freePort();
  const tls = tlsFiles && { port: await freePort(), dir: '/tls' };
  const inContainer = tls ? tlsArgs({ ...tls, port: TLS_PORT_IN_CONTAINER }) : [];
  const started = await new GenericContainer(IMAGE)
    .withCommand(['valkey-server', '--protected-mode', 'no', ...SERVER_ARGS, ...inContainer])
    .withCopyContentToContainer(
      Object.entries(tlsFiles ?? {}).map(([name, content]) => ({ content, target: `/tls/${name}` })),
    )
    .withExposedPorts(
      { container: 6379, host: port },
      ...(tls ? [{ container: TLS_PORT_IN_CONTAINER, host: tls.port }] : []),
    )
    .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
    .withStartupTimeout(30_000)
    .start();
  const container = runtime.container.getById(started.getId());
  const ports = tls ? [port, tls.port] : [port];
  const relays = await Promise.all(ports.map((each) => relayUnlessLoopback(started.getHost(), each)));
  const answers = (): Promise<true> => eventually(() => ping('127.0.0.1', port));
  await answers();
  return {
    source: 'docker',
    url: `redis://127.0.0.1:${port}`,
    ...(tls && { tls }),
    signals: {
      stop: async () => void (await container.pause()),
      cont: async () => void (await container.unpause()),
      kill: async () => {
        await container.kill();
        await container.wait();
      },
      restart: async () => {
        await container.start();
        await answers();
      },
    },
    close: async () => {
      for (const relay of relays) relay?.close();
      await container.unpause().catch(() => {});
      await container.remove({ force: true, v: true });
    },
  };
}

/**
 * A published port is on loopback too, unless the tests run in a container beside Valkey's: those reach it on the
 * engine's gateway, for which the store would ask for TLS. There, loopback is made to lead to the gateway.
 */
export async function relayUnlessLoopback(host: string, port: number): Promise<Server | undefined> {
  const relay = createServer((client) => pipeline(client, createConnection({ host, port }), client, () => {}));
  try {
    await once(relay.listen(port, '127.0.0.1'), 'listening');
    return relay;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

export function findBinary(): string {
  const found = ['valkey-server', 'redis-server'].flatMap((name) =>
    (process.env['PATH'] ?? '')
      .split(delimiter)
      .map((dir) => join(dir, name))
      .filter(isExecutable),
  );
  const usable = found.find(isRecent);
  if (usable === undefined) throw new Error('no valkey-server, nor a redis-server of 7.2 or newer, is on the PATH');
  return usable;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isRecent(command: string): boolean {
  const [, major = '0', minor = '0'] =
    /v=(\d+)\.(\d+)/.exec(execFileSync(command, ['--version'], { encoding: 'utf8' })) ?? [];
  return Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2);
}

/** A loopback port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('The probe has no port.');
  return address.port;
}

/** Resolves if a PING is answered (an answer that asks for a password is one). */
export function ping(host: string, port: number): Promise<true> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(1_000, () => fail(new Error(`Nothing answers PING on port ${port}.`)));
    socket.once('error', fail);
    socket.once('close', () => fail(new Error(`The connection to port ${port} was closed.`)));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      if (!/^(\+PONG|-NOAUTH)/.test(data.toString())) return fail(new Error('PING was not answered with PONG.'));
      socket.destroy();
      resolve(true);
    });
  });
}
