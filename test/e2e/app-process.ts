import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** One process that runs `app.ts`. */
export class AppProcess {
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  static async start(env: NodeJS.ProcessEnv): Promise<AppProcess> {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('app.ts', import.meta.url))],
      // alarms go to standard error; the tests look at the answers
      { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
    );
    process.once('exit', () => child.kill('SIGKILL'));
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`The app ended with status ${String(code)} before it listened.`);
    });
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }];
    ended.catch(() => {});
    return new AppProcess(child, message.port);
  }

  /** A request of a subject in a session, or without a subject if there is no session. */
  async request(method: 'GET' | 'POST', path: string, session?: string): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
      method,
      headers: session === undefined ? {} : { 'x-subject': 'alice', 'mcp-session-id': session },
      signal: AbortSignal.timeout(5_000),
    });
    return { status: response.status, body: await response.json() };
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}
