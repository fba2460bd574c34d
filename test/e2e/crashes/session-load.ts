import { eventually } from '../../support/eventually.js';
import type { AppAnswer, CrashApp } from './crash-app.js';

const CLIENTS = 16;
/** The labels that a session gets, by one request each. */
export const LABELS = ['PII', 'secret'] as const;

/** A label for whose request the client has received the status 200. */
export interface Acknowledgement {
  readonly session: string;
  readonly label: string;
  readonly atMs: number;
}

export interface LoadOptions {
  /** Makes the names of the sessions unique. */
  readonly name: string;
  readonly enrols: boolean;
  /** Whether a session with this id may be used. */
  readonly accepts?: ((session: string) => boolean) | undefined;
}

/** Sixteen clients that begin sessions and give labels to them, one request after the other, until they are stopped. */
export class SessionLoad {
  readonly acknowledged: Acknowledgement[] = [];
  /** How many sessions were given up because a request was refused. */
  refused = 0;
  readonly #app: CrashApp;
  readonly #options: LoadOptions;
  #count = 0;
  #running: Promise<unknown> | undefined;
  #stopped = false;

  constructor(app: CrashApp, options: LoadOptions) {
    this.#app = app;
    this.#options = options;
  }

  start(): void {
    this.#stopped = false;
    this.#running = inParallel(CLIENTS, async () => {
      while (!this.#stopped) await this.#serveSession();
    });
  }

  /** Resolves when no request is in flight. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Waits until this many labels more are acknowledged; `false` if that many sessions are refused and no label is acknowledged. */
  async acknowledges(more: number): Promise<boolean> {
    const before = this.acknowledged.length;
    await eventually(
      () => this.acknowledged.length >= before + more || (this.acknowledged.length === 0 && this.refused >= more),
      { withinMs: 120_000 },
    );
    return this.acknowledged.length > 0;
  }

  /** Adds one more label to each of these sessions. */
  async addLabel(sessions: Iterable<string>, label: string): Promise<void> {
    await forEachInParallel(sessions, (session) => this.#add(session, label));
  }

  async #serveSession(): Promise<void> {
    const session = this.#nextSession();
    const isEnrolled = !this.#options.enrols || (await this.#app.enroll(session)).status === 200;
    let goesOn = isEnrolled;
    for (const label of LABELS) goesOn &&= await this.#add(session, label);
    if (!goesOn) this.refused += 1;
  }

  #nextSession(): string {
    for (;;) {
      this.#count += 1;
      const session = `${this.#options.name}-${this.#count}`;
      if (this.#options.accepts?.(session) ?? true) return session;
    }
  }

  async #add(session: string, label: string): Promise<boolean> {
    const { status }: AppAnswer = await this.#app.addLabel(session, label);
    if (status === 200) this.acknowledged.push({ session, label, atMs: Date.now() });
    return status === 200;
  }
}

/** Calls `visit` for each item, sixteen at a time. */
export async function forEachInParallel<T>(items: Iterable<T>, visit: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items[Symbol.iterator]();
  await inParallel(CLIENTS, async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) await visit(next.value);
  });
}

function inParallel(count: number, run: () => Promise<void>): Promise<unknown> {
  return Promise.all(Array.from({ length: count }, run));
}
