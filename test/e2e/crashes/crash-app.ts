import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Alarm } from '../../../lib/index.js';
import type { ValkeySessionStoreOptions } from '../../../lib/valkey.js';

/** How the app uses the package. */
export interface AppSettings {
  readonly store: ValkeySessionStoreOptions;
  readonly sessions: 'any' | 'enrolled';
  /** `false`: each request is served as by a process that has just started, which remembers no session. */
  readonly hasMemory: boolean;
}

export interface AppAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** The process of `app.ts`. */
export class CrashApp {
  readonly #child: ChildProcess;
  readonly #origin: string;
  readonly #killAtExit: () => void;

  private constructor(child: ChildProcess, port: number, killAtExit: () => void) {
    this.#child = child;
    this.#origin = `http://127.0.0.1:${port}`;
    this.#killAtExit = killAtExit;
  }

  static async start(): Promise<CrashApp> {
    const file = fileURLToPath(new URL('app.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const killAtExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killAtExit);
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`The app ended with status ${String(code)} before it listened.`);
    });
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }];
    ended.catch(() => {});
    return new CrashApp(child, message.port, killAtExit);
  }

  /** Replaces the store and the middleware; the alarms begin anew. */
  async configure(settings: AppSettings): Promise<void> {
    const { status, body } = await this.#send('POST', '/control/configure', {
      body: JSON.stringify(settings),
      headers: { 'content-type': 'application/json' },
    });
    if (status !== 200) throw new Error(`The app did not take its settings: ${JSON.stringify(body)}`);
  }

  async alarms(): Promise<Alarm[]> {
    return (await this.#send('GET', '/control/alarms')).body as Alarm[];
  }

  enroll(session: string): Promise<AppAnswer> {
    return this.#send('POST', '/enroll', { headers: { 'x-session': session } });
  }

  addLabel(session: string, label: string): Promise<AppAnswer> {
    return this.#send('POST', `/labels/${label}`, { headers: { 'x-session': session } });
  }

  /** The body is the list of labels that a guard would see. */
  readLabels(session: string): Promise<AppAnswer> {
    return this.#send('GET', '/labels', { headers: { 'x-session': session } });
  }

  /** SIGSTOP: the app sends and reads nothing until `thaw`. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  async close(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
    process.off('exit', this.#killAtExit);
  }

  async #send(method: string, path: string, init: RequestInit = {}): Promise<AppAnswer> {
    const response = await fetch(this.#origin + path, { ...init, method, signal: AbortSignal.timeout(60_000) });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  }
}
