import { fileURLToPath } from 'node:url';
import { Child } from './child.js';
import type { LoadCommand, LoadResult } from './load/load-messages.js';

/** The process that sends requests; one serves the whole run. */
export class LoadProcess {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(core: number | undefined): Promise<LoadProcess> {
    const main = fileURLToPath(new URL('load/generator.ts', import.meta.url));
    const { child } = await Child.start(['--import', 'tsx', main], core);
    return new LoadProcess(child);
  }

  /** @throws if an answer was not 200: then nothing was measured */
  async do(command: LoadCommand): Promise<LoadResult> {
    const result = (await this.#child.ask({ command })) as LoadResult;
    if (result.failures > 0) {
      throw new Error(
        `${result.failures} of ${result.requests} requests failed: ${JSON.stringify(command).slice(0, 200)}`,
      );
    }
    return result;
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
