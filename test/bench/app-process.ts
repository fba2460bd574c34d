import { fileURLToPath } from 'node:url';
import { Child } from './child.js';

const MAIN = fileURLToPath(new URL('app/main.mjs', import.meta.url));

/** What an app process says of itself at one moment. */
export interface Mark {
  readonly cpuMicros: number;
  readonly activeMs: number;
  readonly idleMs: number;
}

export interface AppSettings {
  /** A file of `app/kinds`. */
  readonly kind: string;
  readonly valkeyUrl: string;
  /** The folder with the compiled package. */
  readonly dist: string;
  readonly core: number | undefined;
  readonly nodeArgs?: readonly string[];
  /** The program that runs Node, with its arguments, for example valgrind. */
  readonly under?: readonly string[];
}

export const COOKIE_SECRET = 'bench';

/** One measured process. */
export class AppProcess {
  readonly port: number;
  readonly #child: Child;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start({ kind, valkeyUrl, dist, core, nodeArgs = [], under }: AppSettings): Promise<AppProcess> {
    const env = {
      NODE_ENV: 'production',
      NODE_OPTIONS: '',
      BENCH_VALKEY: valkeyUrl,
      BENCH_DIST: dist,
      BENCH_COOKIE_SECRET: COOKIE_SECRET,
    };
    const { child, hello } = await Child.start(['--no-warnings', ...nodeArgs, MAIN, kind], core, env, under);
    return new AppProcess(child, (hello as { port: number }).port);
  }

  async mark(): Promise<Mark> {
    return (await this.#child.ask({ question: 'mark' })) as Mark;
  }

  /** Bytes in use after garbage collection; needs `--expose-gc`. */
  async memoryBytes(): Promise<number> {
    return ((await this.#child.ask({ question: 'memory' })) as { bytes: number }).bytes;
  }

  ask(question: string, argument?: unknown): Promise<unknown> {
    return this.#child.ask({ question, argument });
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
