import { AppProcess, type AppSettings, COOKIE_SECRET } from './app-process.js';
import { BenchValkey } from './bench-valkey.js';
import { type Cores, chooseCores } from './cores.js';
import { LoadProcess } from './load-process.js';
import { POOL, POOL_LABELS, POOL_SESSIONS } from './scenarios.js';

/** What every suite works with: Valkey, the load process, and app processes on demand. */
export class Lab {
  readonly valkey: BenchValkey;
  readonly load: LoadProcess;
  readonly cores: Cores;
  /** The folder with the compiled package. */
  readonly #dist: string;
  readonly #apps = new Map<string, AppProcess>();

  private constructor(valkey: BenchValkey, load: LoadProcess, cores: Cores, dist: string) {
    this.valkey = valkey;
    this.load = load;
    this.cores = cores;
    this.#dist = dist;
  }

  static async open(dist: string): Promise<Lab> {
    const cores = chooseCores();
    const valkey = await BenchValkey.start(cores.rest);
    return new Lab(valkey, await LoadProcess.start(cores.rest), cores, dist);
  }

  /** The process of a kind; the same until `stopApps`. */
  async app(kind: string): Promise<AppProcess> {
    const running = this.#apps.get(kind) ?? (await this.startApp(kind));
    this.#apps.set(kind, running);
    return running;
  }

  /** A process for the caller alone, who also stops it. */
  startApp(kind: string, extra: Partial<Omit<AppSettings, 'kind' | 'dist'>> = {}): Promise<AppProcess> {
    return AppProcess.start({ kind, valkeyUrl: this.valkey.url, dist: this.#dist, core: this.cores.app, ...extra });
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
