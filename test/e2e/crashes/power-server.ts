import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.js';
import { findBinary, freePort, ping } from '../../support/valkey-servers.js';

const SOURCE = fileURLToPath(new URL('record-syncs.c', import.meta.url));

const COMPILER = 'cc';
const OFTEN = { withinMs: 60_000, everyMs: 2 };

/** @throws if this machine does not have what a {@link PowerServer} needs */
export function assertPowerServer(): void {
  findBinary();
  execFileSync(COMPILER, ['--version'], { stdio: 'ignore' });
}

/** A server that can lose its power: it is killed, and its append-only file is cut to what had been synced. */
export class PowerServer {
  readonly port: number;
  readonly #args: readonly string[];
  readonly #dir: string;
  readonly #killAtExit = (): void => void this.#child?.kill('SIGKILL');
  #child: ChildProcess | undefined;

  private constructor(port: number, dir: string, args: readonly string[]) {
    this.port = port;
    this.#dir = dir;
    this.#args = args;
    process.once('exit', this.#killAtExit);
  }

  /** @throws if there is no `valkey-server`, or no C compiler */
  static async start(args: readonly string[]): Promise<PowerServer> {
    const dir = mkdtempSync(join(tmpdir(), 'apl-power-'));
    const server = new PowerServer(await freePort(), dir, args);
    try {
      execFileSync(COMPILER, ['-shared', '-fPIC', '-O2', '-o', join(dir, 'record-syncs.so'), SOURCE, '-ldl']);
      await server.restart();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Waits for the next fsync, and then until the server has written so many bytes that the fsync after it is still to come. */
  async hasUnsynced(bytes: number): Promise<void> {
    const sum = (of: 'size' | 'synced'): number => this.#files().reduce((total, file) => total + file[of], 0);
    const before = sum('synced');
    await eventually(() => sum('synced') > before, OFTEN);
    await eventually(() => sum('size') - sum('synced') >= bytes, OFTEN);
  }

  async losePower(): Promise<void> {
    await this.#kill();
    for (const { path, synced } of this.#files()) truncateSync(path, synced);
  }

  /** The files with the labels. There are no others, because these servers never rewrite. */
  #files(): ReadonlyArray<{ readonly path: string; readonly size: number; readonly synced: number }> {
    const synced = new Map<string, number>();
    for (const line of existsSync(this.#record) ? readFileSync(this.#record, 'utf8').split('\n') : []) {
      const [, size, path] = /^(\d+) (.*)$/.exec(line) ?? [];
      if (path !== undefined) synced.set(path, Number(size));
    }
    const folder = join(this.#dir, 'appendonlydir');
    const names = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'));
    return names.map((name) => {
      const path = join(folder, name);
      return { path, size: statSync(path).size, synced: synced.get(path) ?? 0 };
    });
  }

  async restart(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#dir, '--save', '', ...this.#args];
    const env = { ...process.env, LD_PRELOAD: join(this.#dir, 'record-syncs.so'), SYNC_RECORD: this.#record };
    const child = spawn(findBinary(), args, { stdio: 'ignore', env });
    this.#child = child;
    await eventually(() => {
      if (child.exitCode !== null) throw new Error(`The server ended with status ${child.exitCode}.`);
      return ping('127.0.0.1', this.port);
    });
  }

  async close(): Promise<void> {
    await this.#kill();
    process.off('exit', this.#killAtExit);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #record(): string {
    return join(this.#dir, 'syncs');
  }

  async #kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
}
