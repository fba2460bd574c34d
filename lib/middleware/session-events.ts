import type { Request } from 'express';
import { ignoringErrors } from '../alarms/ignoring-errors.js';
import { routeName } from '../alarms/route-name.js';
import type { SessionEvent, SessionEventListener } from '../contract/events.js';
import type { Verdict } from '../gate/gate-keeper.js';
import type { ResolvedSession } from '../session/resolved-session.js';
import type { HeldOutputSize, RequestObserver } from './request-observer.js';

/** Calls the app's `onEvent` for one request, and passes everything on to another observer. */
export class SessionEvents implements RequestObserver {
  readonly #listener: SessionEventListener;
  readonly #req: Request;
  readonly #next: RequestObserver | undefined;
  readonly #labels = new Set<string>();
  #sessionId: string | undefined;
  #isDenied = false;

  constructor(listener: SessionEventListener, req: Request, next: RequestObserver | undefined) {
    this.#listener = listener;
    this.#req = req;
    this.#next = next;
  }

  session(session: ResolvedSession): void {
    this.#next?.session(session);
    this.#sessionId = session.id;
    this.#tell('request', this.#labels);
  }

  noSession(reason: string): void {
    this.#next?.noSession(reason);
    this.#tell('request', this.#labels);
  }

  loaded(labels: readonly string[]): void {
    this.#next?.loaded(labels);
    for (const label of labels) this.#labels.add(label);
    this.#tell('loaded', labels);
  }

  added(label: string): void {
    this.#next?.added(label);
    this.#labels.add(label);
  }

  appended(labels: readonly string[]): void {
    this.#next?.appended(labels);
    this.#tell('appended', labels);
  }

  denied(code: string, instance: string | undefined): void {
    this.#next?.denied(code, instance);
    this.#deniedOnce(code, instance);
  }

  verdict(verdict: Verdict, bytesSent: boolean, code: string | undefined, instance: string | undefined): void {
    this.#next?.verdict(verdict, bytesSent, code, instance);
    if (verdict === 'refuse' && code !== undefined) this.#deniedOnce(code, instance);
  }

  servedByEarlierMount(): void {
    this.#next?.servedByEarlierMount();
  }

  failed(error: unknown): void {
    this.#next?.failed(error);
  }

  loadFailed(cause: unknown): void {
    this.#next?.loadFailed(cause);
  }

  owedFailed(): void {
    this.#next?.owedFailed();
  }

  appendFailed(cause: unknown, secrets: readonly string[]): void {
    this.#next?.appendFailed(cause, secrets);
  }

  ruleDenies(guard: string, rule: string): void {
    this.#next?.ruleDenies(guard, rule);
  }

  held(output: HeldOutputSize): void {
    this.#next?.held(output);
  }

  #deniedOnce(code: string, instance: string | undefined): void {
    if (this.#isDenied) return;
    this.#isDenied = true;
    this.#tell('denied', this.#labels, { code, ...(instance !== undefined && { instance }) });
  }

  #tell(
    event: SessionEvent['event'],
    labels: Iterable<string>,
    denial?: Pick<SessionEvent, 'code' | 'instance'>,
  ): void {
    const sessionId = this.#sessionId;
    // the operator who may see the id may see it in the name of a route as well
    const route = routeName(this.#req, []);
    const told = { event, route, ...(sessionId !== undefined && { sessionId }), labels: Object.freeze([...labels]) };
    ignoringErrors(() => this.#listener(Object.freeze({ ...told, ...denial })));
  }
}
