import { createHash, createHmac } from 'node:crypto';
import { Redis } from 'ioredis';
import { binaryServer, dockerServer, type ValkeyServer } from '../support/valkey-servers.js';
import { pin } from './cores.js';
import { sessionIdOf } from './load/request-source.js';

const SUBJECT = 'alice';
const BATCH = 5_000;
/** A script cannot pass many more arguments to a command. */
const LABEL_BATCH = 1_000;

/** Valkey as the benchmarks use it: a server of their own, emptied and filled at will, that tells what it did. */
export class BenchValkey {
  readonly #server: ValkeyServer;
  readonly #client: Redis;
  /** `undefined` in a container. */
  readonly pid: number | undefined;
  readonly version: string;

  private constructor(server: ValkeyServer, client: Redis, info: string) {
    this.#server = server;
    this.#client = client;
    this.pid = server.source === 'binary' ? Number(field(info, 'process_id')) : undefined;
    const valkeyVersion = field(info, 'valkey_version');
    this.version = valkeyVersion ? `Valkey ${valkeyVersion}` : `Redis ${field(info, 'redis_version')}`;
  }

  static async start(core: number | undefined): Promise<BenchValkey> {
    const server = await binaryServer().catch(() => dockerServer());
    const client = new Redis(server.url);
    const valkey = new BenchValkey(server, client, await client.info('server'));
    if (valkey.pid !== undefined) pin(valkey.pid, core);
    return valkey;
  }

  get url(): string {
    return this.#server.url;
  }

  async flush(): Promise<void> {
    // Valkey frees the memory later otherwise, while the next one is measured
    await this.#client.flushall('SYNC');
  }

  /** Puts `labels` on sessions 0 to `count - 1` of a pool, under the keys of this package and of the floor. */
  async fillSessions(pool: string, count: number, labels: readonly string[], owner: 'both' | 'ours'): Promise<void> {
    for (let start = 0; start < count; start += BATCH) {
      const keys: string[] = [];
      for (let n = start; n < Math.min(start + BATCH, count); n++) {
        keys.push(...keysOf(sessionIdOf(pool, n)).slice(0, owner === 'both' ? 2 : 1));
      }
      for (let at = 0; at < labels.length; at += LABEL_BATCH) {
        await this.#client.eval(ADD_TO_ALL, keys.length, ...keys, ...labels.slice(at, at + LABEL_BATCH));
      }
    }
  }

  /** Makes sessions of express-session and returns their cookies. */
  async fillCookieSessions(count: number, secret: string): Promise<string[]> {
    const pipeline = this.#client.pipeline();
    const cookies: string[] = [];
    for (let n = 0; n < count; n++) {
      const id = `${'s'.repeat(20)}${String(n).padStart(12, '0')}`;
      const data = {
        cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' },
        labels: ['PII', 'internal'],
      };
      pipeline.set(`sess:${id}`, JSON.stringify(data), 'EX', 86_400);
      cookies.push(`connect.sid=${encodeURIComponent(`s:${signed(id, secret)}`)}`);
    }
    await pipeline.exec();
    return cookies;
  }

  /** Commands that `action` made the server run, by name. */
  async countCommands(action: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = await this.#calls();
    await action();
    const after = await this.#calls();
    const counts: Record<string, number> = {};
    for (const [name, calls] of after) {
      const more = calls - (before.get(name) ?? 0);
      if (more > 0) counts[name] = more;
    }
    return counts;
  }

  async usedMemory(): Promise<number> {
    return Number(field(await this.#client.info('memory'), 'used_memory'));
  }

  /** The CPU time that the server has used, in microseconds. */
  async cpuMicros(): Promise<number> {
    const info = await this.#client.info('cpu');
    return (Number(field(info, 'used_cpu_user')) + Number(field(info, 'used_cpu_sys'))) * 1_000_000;
  }

  async close(): Promise<void> {
    this.#client.disconnect();
    await this.#server.close();
  }

  /** Without those that only measuring and connecting cause, and those that a script runs inside. */
  async #calls(): Promise<Map<string, number>> {
    const calls = new Map<string, number>();
    for (const [, name = '', count] of (await this.#client.info('commandstats')).matchAll(
      /cmdstat_(\S+?):calls=(\d+)/g,
    )) {
      if (!/^(info|client|hello|ping|select|script|command)\b/.test(name)) calls.set(name, Number(count));
    }
    return calls;
  }
}

const ADD_TO_ALL = "for i = 1, #KEYS do redis.call('SADD', KEYS[i], unpack(ARGV)) end";

/** The keys of a session: ours, and the floor's. */
function keysOf(sessionId: string): [string, string] {
  const id = sha256Hex(`${SUBJECT}:${sessionId}`).slice(0, 16);
  return [`taint:v1:${sha256Hex(id)}`, `taint:v1:${SUBJECT}:${sessionId}`];
}

/** As express-session signs its cookies. */
function signed(id: string, secret: string): string {
  return `${id}.${createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')}`;
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
}
