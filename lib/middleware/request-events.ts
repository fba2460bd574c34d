import type { Request } from 'express';
import { withoutSecrets } from '../alarms/redact.js';
import { routeName } from '../alarms/route-name.js';
import type { HeldResponse, HoldEvent } from '../contract/events.js';
import type { EventStream } from '../events/event-stream.js';
import type { Verdict } from '../gate/gate-keeper.js';
import type { ResolvedSession } from '../session/resolved-session.js';
import { now } from '../util/clock.js';
import type { HeldOutputSize, RequestObserver } from './request-observer.js';

const OUTCOMES = { release: 'released', refuse: 'refused' } as const;

/** Any code of the process may receive it, so it must not lead to the response. */
class Held implements HeldResponse {
  /** Only during a hold: a subscriber that keeps this object, or an old table of its Set, must not keep the request in memory. */
  #output: HeldOutputSize | undefined;

  constructor() {
    Object.freeze(this);
  }

  get bytes(): number {
    return this.#output?.heldBytes ?? 0;
  }

  static begin(held: Held, output: HeldOutputSize): void {
    held.#output = output;
  }

  static end(held: Held): void {
    held.#output = undefined;
  }
}

/**
 * Publishes the events of one request. Loads and appends are published by the store access, because open sessions have them
 * too; for all other steps there is no event.
 */
export class RequestEvents implements RequestObserver {
  readonly #events: EventStream;
  readonly #req: Request;
  #sessionId = '';
  #heldSinceMs: number | undefined;
  #held: Held | undefined;
  #isDenied = false;
  /** The route that Express has matched, and its name. */
  #routeObject: unknown;
  #routeName: string | undefined;

  constructor(events: EventStream, req: Request) {
    this.#events = events;
    this.#req = req;
  }

  session({ id, source }: ResolvedSession): void {
    this.#sessionId = id;
    const { method } = this.#req;
    // a resolver of the app could put anything into the source
    if (this.#events.has('request')) this.#events.publishRequest(method, this.#shown(source));
  }

  noSession(): void {
    if (this.#events.has('request')) this.#events.publish('request', { method: this.#req.method });
  }

  denied(code: string, instance: string | undefined): void {
    if (this.#isDenied) return;
    this.#isDenied = true;
    if (!this.#events.has('denial')) return;
    const what = { route: this.#route(), code: this.#shown(code) };
    this.#events.publish('denial', instance === undefined ? { ...what, cut: true } : { ...what, cut: false, instance });
  }

  held(output: HeldOutputSize): void {
    this.#held ??= new Held();
    Held.begin(this.#held, output);
    if (this.#heldSinceMs !== undefined) return;
    this.#heldSinceMs = now();
    this.#hold('held', 0);
  }

  verdict(verdict: Verdict, bytesSent: boolean, code: string | undefined, instance: string | undefined): void {
    const isRefusal = verdict === 'refuse';
    if (isRefusal && code !== undefined) this.denied(code, instance);
    if (this.#heldSinceMs === undefined) return;
    const durationMs = now() - this.#heldSinceMs;
    this.#heldSinceMs = undefined;
    if (this.#held) Held.end(this.#held);
    this.#hold(isRefusal && bytesSent ? 'cut' : OUTCOMES[verdict], durationMs);
  }

  servedByEarlierMount(): void {}
  failed(): void {}
  loaded(): void {}
  loadFailed(): void {}
  owedFailed(): void {}
  added(): void {}
  appended(): void {}
  appendFailed(): void {}
  ruleDenies(): void {}

  #hold(outcome: HoldEvent['outcome'], durationMs: number): void {
    if (!this.#held || !this.#events.has('hold')) return;
    this.#events.publishHold(this.#route(), outcome, durationMs, this.#held);
  }

  #route(): string {
    const { route } = this.#req;
    if (this.#routeName === undefined || route !== this.#routeObject) {
      this.#routeObject = route;
      this.#routeName = routeName(this.#req, [this.#sessionId]);
    }
    return this.#routeName;
  }

  #shown(text: string): string {
    return withoutSecrets(text, [this.#sessionId]);
  }
}
