import type { Request, Response } from 'express';
import { errorText } from '../alarms/redact.js';
import { routeName } from '../alarms/route-name.js';
import { AplSessionError } from '../contract/errors.js';
import type { SessionEventListener } from '../contract/events.js';
import type { EventStream } from '../events/event-stream.js';
import type { Verdict } from '../gate/gate-keeper.js';
import { onResponseClose } from '../node/on-response-close.js';
import { sha256Hex } from '../session/digest.js';
import type { ResolvedSession } from '../session/resolved-session.js';
import type { StoreSettings } from '../stores/store-settings.js';
import { now } from '../util/clock.js';
import { debugLabels, debugLine, isDebugging } from '../util/debug-log.js';
import { RequestEvents } from './request-events.js';
import type { HeldOutputSize, RequestObserver } from './request-observer.js';
import { SessionEvents } from './session-events.js';

/** The debug output and the events of one `aplSessionMiddleware()`. */
export class MountTrace {
  readonly #name: string;
  readonly #events: EventStream;
  readonly #onEvent: SessionEventListener | undefined;
  /** Read once, because a request must cost nothing while the output is off. */
  readonly #isOn = isDebugging();
  #requests = 0;

  constructor(events: EventStream, onEvent?: SessionEventListener) {
    this.#name = events.mount;
    this.#events = events;
    this.#onEvent = onEvent;
  }

  /** Describes the options. */
  mounted({ store, storeTimeoutMs, limits }: StoreSettings, sessionless: string): void {
    if (!this.#isOn) return;
    const ttl = store.ttlSeconds === undefined ? 'no TTL' : `a TTL of ${store.ttlSeconds} s`;
    debugLine(
      `${this.#name} mounted: ${nameOf(store)} with ${ttl}; a store call fails after ${storeTimeoutMs} ms; at most ${limits.maxLabelsPerSession} labels per session and ${limits.maxKnownSessions} sessions; sessionless '${sessionless}'`,
    );
  }

  /** Returns `undefined` if events have no subscriber, and debug output and `onEvent` are off. */
  begin(req: Request, res: Response): RequestObserver | undefined {
    const observer = this.#observer(req, res);
    return this.#onEvent ? new SessionEvents(this.#onEvent, req, observer) : observer;
  }

  #observer(req: Request, res: Response): RequestObserver | undefined {
    const events = this.#events.hasRequests ? new RequestEvents(this.#events, req) : undefined;
    if (!this.#isOn) return events;
    this.#requests++;
    return new RequestTrace(`${this.#name}#${this.#requests}`, req, res, events);
  }
}

function nameOf(store: object): string {
  const { name } = store.constructor ?? {};
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : 'a store of the app';
}

/** The debug output of one request. All lines begin with the same name. */
export class RequestTrace implements RequestObserver {
  readonly #name: string;
  readonly #req: Request;
  readonly #res: Response;
  readonly #events: RequestEvents | undefined;
  readonly #startedAtMs = now();
  #heldSinceMs: number | undefined;
  #wasHeld = false;
  #hasSession = false;
  #isCut = false;
  #isClosed = false;
  /** The session's id and labels. No line may show them. */
  readonly #secrets = new Set<string>();

  constructor(name: string, req: Request, res: Response, events: RequestEvents | undefined) {
    this.#name = name;
    this.#req = req;
    this.#res = res;
    this.#events = events;
    onResponseClose(res, () => this.#closed());
  }

  session(session: ResolvedSession): void {
    this.#events?.session(session);
    const { id, source } = session;
    this.#secrets.add(id);
    this.#hasSession = true;
    // the beginning of the hash that is also in the key in Valkey; it cannot be used in place of the id
    this.#line(`${this.#req.method}: session ${sha256Hex(id).slice(0, 6)}, found by ${this.#shown(source)}`);
  }

  noSession(reason: string): void {
    this.#events?.noSession();
    this.#line(`${this.#req.method}: no session: ${this.#shown(reason)}`);
  }

  servedByEarlierMount(): void {
    this.#line(`${this.#req.method}: an earlier mount of the middleware serves the request`);
    // the trace of that mount describes the response
    this.#isClosed = true;
  }

  /** An error goes to Express. Only the errors of this package are known to hold no secrets. */
  failed(error: unknown): void {
    const text = error instanceof AplSessionError ? `${error.code}: ${error.message}` : nameOfError(error);
    this.#line(`${this.#req.method}: the error goes to Express: ${this.#shown(text)}`);
  }

  loaded(labels: readonly string[]): void {
    this.#line(`loaded ${counted(labels.length)} after ${this.#sinceStart()}`);
    this.#labels('loaded', labels);
  }

  loadFailed(cause: unknown): void {
    this.#line(`the load failed after ${this.#sinceStart()}: ${this.#shown(cause)}`);
  }

  owedFailed(): void {
    this.#line('labels of earlier requests could not be appended');
  }

  added(label: string): void {
    this.#line('added 1 label');
    this.#labels('added', [label]);
  }

  appended(labels: readonly string[]): void {
    this.#line(`appended ${counted(labels.length)}`);
    this.#labels('appended', labels);
  }

  appendFailed(cause: unknown, secrets: readonly string[]): void {
    for (const secret of secrets) this.#secrets.add(secret);
    this.#line(`the append failed: ${this.#shown(cause)}`);
  }

  /** @param rule the place of the rule in its document */
  ruleDenies(guard: string, rule: string): void {
    this.#line(`${this.#shown(guard)}: the rule ${this.#shown(rule)} denies`);
  }

  denied(code: string, instance: string | undefined): void {
    this.#events?.denied(code, instance);
    this.#line(`denied: ${this.#shown(code)}`);
  }

  held(output: HeldOutputSize): void {
    this.#events?.held(output);
    this.#heldSinceMs ??= now();
    this.#wasHeld = true;
  }

  verdict(verdict: Verdict, bytesSent: boolean, code: string | undefined, instance: string | undefined): void {
    this.#events?.verdict(verdict, bytesSent, code, instance);
    const held = `held for ${ms(now() - (this.#heldSinceMs ?? now()))}`;
    this.#heldSinceMs = undefined;
    if (verdict === 'release') {
      this.#line(`${held}, then released`);
      return;
    }
    this.#isCut = bytesSent;
    const id = instance === undefined ? '' : `, ${instance}`;
    this.#line(`${held}, then ${bytesSent ? 'cut' : 'refused'}: ${this.#shown(code ?? 'no violation')}${id}`);
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { statusCode, writableFinished } = this.#res;
    const end = writableFinished && !this.#isCut ? `answered ${statusCode}` : 'closed before the end of the response';
    const route = routeName(this.#req, this.#secrets);
    const hold = this.#hasSession && !this.#wasHeld ? ', not held' : '';
    this.#line(`${route}: ${end} after ${this.#sinceStart()}${hold}`);
  }

  #line(text: string): void {
    debugLine(`${this.#name} ${text}`);
  }

  #labels(what: string, labels: readonly string[]): void {
    for (const label of labels) this.#secrets.add(label);
    if (labels.length > 0) debugLabels(`${this.#name} ${what}`, labels);
  }

  #shown(text: unknown): string {
    return errorText(text, this.#secrets);
  }

  #sinceStart(): string {
    return ms(now() - this.#startedAtMs);
  }
}

function nameOfError(error: unknown): string {
  return error instanceof Error ? error.name : 'a value that is not an Error';
}

function counted(labels: number): string {
  return labels === 1 ? '1 label' : `${labels} labels`;
}

function ms(duration: number): string {
  return `${duration.toFixed(1)} ms`;
}
