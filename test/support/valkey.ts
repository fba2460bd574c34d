import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import {
  binaryServer,
  dockerServer,
  existingServer,
  type TlsFiles,
  type TlsListener,
  type ValkeyServer,
  type ValkeySignals,
} from './valkey-servers.js';

/** A real Valkey, as tests see it. */
export interface TestValkey extends ValkeySignals {
  readonly source: ValkeyServer['source'];
  /** For `new ValkeySessionStore({ endpoint: url })`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Where `describeWithTlsValkey` has the server listen with TLS. */
  readonly tls: TlsListener | undefined;
  /** A client with all rights. */
  readonly admin: Redis;
  /** The URL with the credentials of an ACL user in it. */
  urlFor(username: string, password: string): string;
  /** Empties the database. */
  flush(): Promise<void>;
  /** The commands that the server executes during `action`, without those with which clients introduce themselves, and without probes. */
  countCommands(action: () => Promise<unknown>): Promise<Record<string, number>>;
}

type Source = ValkeyServer['source'];
const SOURCES: readonly Source[] = ['url', 'docker', 'binary'];

/** A suite on a Valkey that it shares with other suites; emptied before the suite. */
export function describeWithValkey(title: string, define: (server: () => TestValkey) => void): void {
  describeOn(title, define, {
    open: () => (shared ??= find(SOURCES)),
    release: async () => {},
  });
}

/** A suite on a Valkey of its own, which it may stop, kill, and configure. */
export function describeWithDedicatedValkey(title: string, define: (server: () => TestValkey) => void): void {
  describeOn(title, define, { open: () => find(['docker', 'binary']), release: closeFound });
}

/** A suite on a Valkey of its own that listens with TLS too, to clients with a certificate. */
export function describeWithTlsValkey(
  title: string,
  files: () => TlsFiles,
  define: (server: () => TestValkey) => void,
): void {
  describeOn(title, define, { open: () => find(['docker', 'binary'], files()), release: closeFound });
}

let shared: Promise<Found> | undefined;
// imported while mocha loads the first file that needs it, so this is a hook of the root suite
after('stops the shared Valkey', async () => {
  const found = await shared?.catch(() => undefined);
  if (found) await closeFound(found);
  shared = undefined;
});

type Found = { readonly server: OpenValkey } | { readonly reason: string };

interface Lifecycle {
  open(): Promise<Found>;
  release(found: Found): Promise<void>;
}

function describeOn(title: string, define: (server: () => TestValkey) => void, { open, release }: Lifecycle): void {
  describe(title, () => {
    let found: Found | undefined;

    before('finds a Valkey', async function () {
      this.timeout(60_000);
      found = await open();
      if ('server' in found) return found.server.flush();
      if (process.env['REQUIRE_VALKEY_TESTS'] === '1') throw new Error(`No Valkey: ${found.reason}`);
      console.warn(`      pending, no Valkey: ${found.reason}`);
      this.skip();
    });
    after('releases the Valkey', () => found && release(found));

    define(() => {
      if (found && 'server' in found) return found.server;
      throw new Error('The Valkey of a suite is there from its first hook on.');
    });
  });
}

/** Where a source was asked for (by name, or by a URL), it must work; else the first that works is taken. */
async function find(usable: readonly Source[], files?: TlsFiles): Promise<Found> {
  const url = process.env['VALKEY_TEST_URL'];
  const forced = process.env['VALKEY_TEST_SOURCE'] ?? (url ? 'url' : undefined);
  if (forced !== undefined && !SOURCES.some((source) => source === forced)) {
    throw new Error(`VALKEY_TEST_SOURCE must be one of ${SOURCES.join(', ')}.`);
  }
  const wanted = usable.filter((source) => source === forced);
  // a server with only a URL cannot be signalled, so suites that need signals start their own
  const candidates = wanted.length > 0 ? wanted : usable.filter((source) => source !== 'url');
  const faults: string[] = [];
  for (const source of candidates) {
    try {
      return { server: new OpenValkey(await start(source, url, files)) };
    } catch (error) {
      if (source === forced) throw error;
      faults.push(`${source}: ${(error as Error).message}`);
    }
  }
  return { reason: faults.join('; ') };
}

function start(source: Source, url: string | undefined, files: TlsFiles | undefined): Promise<ValkeyServer> {
  if (source === 'docker') return dockerServer(files);
  if (source === 'binary') return binaryServer(files);
  if (url === undefined) throw new Error('VALKEY_TEST_SOURCE is url, but VALKEY_TEST_URL is not set.');
  return existingServer(url);
}

async function closeFound(found: Found): Promise<void> {
  if ('server' in found) await found.server.close();
}

/**
 * `hello`, `client|setinfo` and `info` are what is sent on a new connection, `echo` is the probe behind each request; the
 * rest is this file's own.
 */
const NOT_COUNTED = /^(echo|hello|auth|select|client|info|ping|config|acl)\b/;

class OpenValkey implements TestValkey {
  readonly source: Source;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly tls: TlsListener | undefined;
  readonly admin: Redis;
  readonly #server: ValkeyServer;

  constructor(server: ValkeyServer) {
    const { hostname, port } = new URL(server.url);
    this.#server = server;
    this.source = server.source;
    this.url = server.url;
    this.host = hostname.replace(/^\[(.*)\]$/, '$1');
    this.port = Number(port || 6379);
    this.tls = server.tls;
    this.admin = new Redis(server.url, { retryStrategy: () => 50 });
    this.admin.on('error', () => {});
  }

  urlFor(username: string, password: string): string {
    const url = new URL(this.url);
    url.username = encodeURIComponent(username);
    url.password = encodeURIComponent(password);
    return url.href;
  }

  async flush(): Promise<void> {
    await this.admin.flushdb();
  }

  async countCommands(action: () => Promise<unknown>): Promise<Record<string, number>> {
    await this.admin.config('RESETSTAT');
    await action();
    const counts: Record<string, number> = {};
    for (const [, name = '', calls] of (await this.admin.info('commandstats')).matchAll(
      /^cmdstat_(\S+?):calls=(\d+)/gm,
    )) {
      if (!NOT_COUNTED.test(name)) counts[name] = Number(calls);
    }
    return counts;
  }

  stop(): Promise<void> {
    return this.#signals().stop();
  }

  cont(): Promise<void> {
    return this.#signals().cont();
  }

  kill(): Promise<void> {
    return this.#signals().kill();
  }

  async restart(): Promise<void> {
    await this.#signals().restart();
    await eventually(() => this.admin.status === 'ready');
  }

  async close(): Promise<void> {
    this.admin.disconnect();
    await this.#server.close();
  }

  #signals(): ValkeySignals {
    if (this.#server.signals) return this.#server.signals;
    throw new Error('This Valkey belongs to somebody else. Use describeWithDedicatedValkey.');
  }
}
