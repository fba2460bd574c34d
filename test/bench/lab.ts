import { AppProcess, COOKIE_SECRET } from './app-process.js';
import { BenchValkey } from './bench-valkey.js';
import { type Cores, chooseCores } from './cores.js';
import { LoadProcess } from './load-process.js';
import { POOL, POOL_LABELS, POOL_SESSIONS } from './scenarios.js';

/** The suffix of a kind that runs the package in the second folder, for comparing two builds. */
export const AGAINST = '@against';

export interface Dists {
  readonly own: string;
  readonly against: string | undefined;
}

/** What every suite works with: Valkey, the load process, and app processes on demand. */
export class Lab {
  readonly valkey: BenchValkey;
  readonly load: LoadProcess;
  readonly cores: Cores;
  /** Whether apps that are started time their commands. */
  timed = false;
  readonly #dists: Dists;
  readonly #apps = new Map<string, AppProcess>();

  private constructor(valkey: BenchValkey, load: LoadProcess, cores: Cores, dists: Dists) {
    this.valkey = valkey;
    this.load = load;
    this.cores = cores;
    this.#dists = dists;
  }

  static async open(dists: Dists): Promise<Lab> {
    const cores = chooseCores();
    const valkey = await BenchValkey.start(cores.rest);
    return new Lab(valkey, await LoadProcess.start(cores.rest), cores, dists);
  }

  /** The process of a kind, or another one; the same until `stopApps`. */
  async app(kind: string, another = 0): Promise<AppProcess> {
    const key = `${kind} ${another}`;
    const timed = kind === 'floor' ? { BENCH_TIMED: this.timed ? '1' : '0' } : {};
    const running = this.#apps.get(key) ?? (await this.startApp(kind, { env: timed }));
    this.#apps.set(key, running);
    return running;
  }

  /** A process for the caller alone, who also stops it. */
  startApp(
    kind: string,
    extra: { nodeArgs?: string[]; env?: NodeJS.ProcessEnv; valkeyUrl?: string } = {},
  ): Promise<AppProcess> {
    const against = kind.endsWith(AGAINST);
    return AppProcess.start({
      kind: against ? kind.slice(0, -AGAINST.length) : kind,
      valkeyUrl: this.valkey.url,
      dist: (against ? this.#dists.against : undefined) ?? this.#dists.own,
      core: this.cores.app,
      ...extra,
    });
  }

  async stopApps(): Promise<void> {
    await this.load.do({ do: 'close' });
    await Promise.all([...this.#apps.values()].map((app) => app.stop()));
    this.#apps.clear();
  }

  /** An empty Valkey with the sessions that the scenarios know. Returns the cookies of express-session's. */
  async refill(): Promise<string[]> {
    await this.valkey.flush();
    await this.valkey.fillSessions(POOL, POOL_SESSIONS, POOL_LABELS, 'both');
    return this.valkey.fillCookieSessions(POOL_SESSIONS, COOKIE_SECRET);
  }

  async close(): Promise<void> {
    await this.stopApps();
    await this.load.stop();
    await this.valkey.close();
  }
}
