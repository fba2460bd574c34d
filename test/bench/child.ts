import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

interface Reply {
  readonly id?: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** A Node process on one core that answers what it is asked on the IPC channel. */
export class Child {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  readonly #killAtExit = (): void => void this.#child.kill('SIGKILL');
  #id = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    process.setMaxListeners(0);
    process.once('exit', this.#killAtExit);
    child.on('message', (message) => this.#onReply(message as Reply));
    child.on('exit', (code, signal) => {
      for (const { reject } of this.#open.values()) reject(new Error(`A process ended with ${code ?? signal}.`));
      this.#open.clear();
    });
  }

  /** Starts `node ...args`, by the program `under` if there is one, and resolves with it and its first message. */
  static async start(
    args: readonly string[],
    core: number | undefined,
    env: NodeJS.ProcessEnv = {},
    under: readonly string[] = [],
  ): Promise<{ child: Child; hello: unknown }> {
    const [command, ...rest] = [
      ...(core === undefined ? [] : ['taskset', '-c', `${core}`]),
      ...under,
      process.execPath,
      ...args,
    ];
    const spawned = spawn(command as string, rest, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const child = new Child(spawned);
    const ended = once(spawned, 'exit').then(([code]) => {
      throw new Error(`${args.join(' ')} ended with status ${String(code)} before it was ready.`);
    });
    const [hello] = (await Promise.race([once(spawned, 'message'), ended])) as [unknown];
    ended.catch(() => {});
    return { child, hello };
  }

  ask(message: object): Promise<unknown> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#child.send({ id, ...message });
    });
  }

  async stop(): Promise<void> {
    process.off('exit', this.#killAtExit);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  #onReply({ id, answer, error }: Reply): void {
    const asker = this.#open.get(id ?? 0);
    this.#open.delete(id ?? 0);
    if (error === undefined) asker?.resolve(answer);
    else asker?.reject(new Error(error));
  }
}
