import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Alarm, SessionStoreFailure } from '../../lib/index.js';
import { snippetsOf } from '../support/documents.js';

/** A label that a handler has added. */
export interface AddedLabel {
  /** The path of the request. */
  readonly path: string;
  readonly label: string;
}

/** A message of `stopping-app.ts`. */
export type Report =
  | { readonly port: number }
  | { readonly serverClosed: true }
  | AddedLabel
  | { readonly alarm: Alarm };

/** The session of a path. Alarms do not show session ids, so the path must not contain this text. */
export function sessionOf(path: string): string {
  return path.slice(1).replaceAll('/', '-');
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** One process that runs `stopping-app.ts`. */
export class StoppingProcess {
  readonly added: AddedLabel[] = [];
  readonly alarms: SessionStoreFailure[] = [];
  port = 0;
  serverClosed = false;
  readonly #child: ChildProcess;
  readonly #ending: Promise<Ending>;
  readonly #onReport = new Set<() => void>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ending = endingOf(child);
    child.on('message', (report: Report) => {
      if ('port' in report) this.port = report.port;
      else if ('serverClosed' in report) this.serverClosed = true;
      else if ('alarm' in report) {
        if (report.alarm.alarm === 'session_store_failure') this.alarms.push(report.alarm);
      } else this.added.push(report);
      for (const onReport of this.#onReport) onReport();
    });
  }

  static async start(env: NodeJS.ProcessEnv & { LIFECYCLE: string; STORE: string }): Promise<StoppingProcess> {
    const path = fileURLToPath(new URL('stopping-app.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', path], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const app = new StoppingProcess(child);
    await app.until(() => app.port > 0);
    return app;
  }

  /** Waits for reports until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    const ended = this.#ending.then(({ code, stderr }) => {
      if (!condition()) throw new Error(`The app ended with status ${String(code)}: ${stderr}`);
    });
    let onReport = (): void => {};
    const reported = new Promise<void>((resolve) => {
      onReport = () => condition() && resolve();
    });
    this.#onReport.add(onReport);
    onReport();
    await Promise.race([reported, ended]);
    ended.catch(() => {});
    this.#onReport.delete(onReport);
  }

  hasAdded(path: string, label: string): boolean {
    return this.added.some((added) => added.path === path && added.label === label);
  }

  /** Sends SIGTERM. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Waits until the process has ended, and all its reports have arrived. */
  ended(): Promise<Ending> {
    return this.#ending;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#ending;
  }
}

async function endingOf(child: ChildProcess): Promise<Ending> {
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [[code, signal]] = await Promise.all([once(child, 'close'), once(child, 'disconnect')]);
  process.off('exit', kill);
  return { code, signal, stderr };
}

/** Writes the first program of the document to a file. Returns its URL. */
export function writeLifecycle(folder: string, graceMs?: number): string {
  const [lifecycle] = snippetsOf('docs/start-and-stop.md');
  if (!lifecycle) throw new Error('docs/start-and-stop.md has no code.');
  const { code } = lifecycle;
  const file = join(folder, `lifecycle-${graceMs ?? 'as-documented'}.mts`);
  writeFileSync(file, graceMs === undefined ? code : code.replace('10_000', String(graceMs)));
  return pathToFileURL(file).href;
}
