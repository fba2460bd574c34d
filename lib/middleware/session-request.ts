import type { Request, Response } from 'express';
import { microtask } from '../contract/clock.js';
import type { Violation } from '../contract/security.js';
import type { LabelSet } from '../labels/label-set.js';
import type { DenialRenderer } from '../response/denial.js';
import type { GateKeeper, Verdict, VerdictListener } from '../response/gate-keeper.js';
import type { HeaderSnapshot } from '../response/headers-at-entry.js';
import type { NodeResponse } from '../response/node-response.js';
import { plainRefusal, renderRefusal } from '../response/refusal.js';
import { isOver, onceOver } from '../response/response-end.js';
import { ResponseGate } from '../response/response-gate.js';
import type { ResolvedSession, SessionResolver } from '../session/resolved-session.js';
import { errorText } from './alarm-sink.js';
import { type AppendContext, LabelPersistence, type PersistenceOwner } from './label-persistence.js';
import { routeName } from './route-name.js';
import type { StoreAccess } from './store-access.js';
import { PERSIST_FAILED, toViolation } from './violations.js';

/** What one `aplSessionMiddleware()` works with. */
export interface Mount {
  readonly access: StoreAccess;
  readonly session: SessionResolver;
  readonly denial: DenialRenderer;
}

/** One request and its answer, as the middleware found them. */
export interface Exchange {
  readonly req: Request;
  readonly res: Response;
  readonly mount: Mount;
  readonly headersAtEntry: HeaderSnapshot;
}

const NOBODY: readonly VerdictListener[] = Object.freeze([]);

/**
 * A request of a session: its labels, its violation, and the rule by which its response is held, released or refused. A
 * request that adds no label pays for this object only: the gate is put on its response with the first label that is
 * new.
 */
export class SessionRequest implements GateKeeper, PersistenceOwner {
  readonly sessionId: string | undefined;
  readonly source: string | undefined;
  readonly #exchange: Exchange;
  readonly #storedLabels: readonly string[];
  #persistence: LabelPersistence | undefined;
  #gate: ResponseGate | undefined;
  /** Who waits for a verdict on the response. */
  #listeners = NOBODY;
  #violation: Violation | undefined;
  #denial: DenialRenderer | undefined;
  #answered = false;
  #settlesAtEnd = false;
  /** The response is a denial that is still to be rendered by nobody but us. */
  #replaces = false;
  /** What leaves is a denial, so labels that could not be saved do not hold it any longer. */
  #denied = false;

  constructor(exchange: Exchange, session: ResolvedSession | undefined, storedLabels: readonly string[]) {
    this.#exchange = exchange;
    this.#storedLabels = storedLabels;
    this.sessionId = session?.id;
    this.source = session?.source;
  }

  get access(): StoreAccess {
    return this.#exchange.mount.access;
  }

  get labels(): LabelSet {
    return this.#asked().labels;
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** @param denial how to answer this violation; default: as the mount does */
  deny(violation: Violation, denial?: DenialRenderer): void {
    this.record(violation);
    this.#denied = true;
    if (this.#answered) return;
    this.#answered = true;
    this.#denial = denial;
    const gate = this.#gated();
    const { res, headersAtEntry } = this.#exchange;
    if (res.headersSent) {
      gate.refuse();
      return;
    }
    // ends the response for all who wrap it; what they make of it, headers included, is replaced at the gate
    this.#replaces = true;
    gate.endBy(() => void plainRefusal({ violation: this.#violation ?? PERSIST_FAILED, headersAtEntry }, res));
  }

  async persist(): Promise<void> {
    await this.#persistence?.persist();
    this.#gate?.reconsider();
  }

  /** Takes a violation over without answering; the first one stays. What leaves is no denial because of it. */
  record(violation: Violation): void {
    const checked = toViolation(violation);
    this.#violation ??= checked;
  }

  /** Made when somebody first asks for the labels, which is in no hurry for most requests. */
  #asked(): LabelPersistence {
    this.#persistence ??= new LabelPersistence(this.access, this.sessionId, this.#storedLabels, this);
    return this.#persistence;
  }

  onNewLabel(): void {
    const { res } = this.#exchange;
    const settle = (): void => this.#persistence?.settle();
    if (isOver(res)) {
      // nobody waits for this response any more, but the label must not be lost
      microtask(settle);
      return;
    }
    this.#gated().close();
    if (this.#settlesAtEnd) return;
    this.#settlesAtEnd = true;
    onceOver(res, settle);
  }

  describe(): AppendContext {
    return {
      route: routeName(this.#exchange.req, this.#secrets()),
      decisionWasAllow: !this.#isDenied(),
      bytesSent: this.#gate?.headOut ?? false,
    };
  }

  #gated(): ResponseGate {
    this.#gate ??= ResponseGate.on(this.#exchange.res, this);
    return this.#gate;
  }

  mustHold(): boolean {
    const labels = this.#asked();
    return labels.unsettled || (labels.pending && !this.#denied) || this.#replaces;
  }

  settle(listener: VerdictListener): void {
    // unlike a spread, this reserves no room for more
    this.#listeners = this.#listeners.concat(listener);
    this.#isDenied();
    this.#asked().settle();
  }

  onSettled(): void {
    this.#isDenied();
    const listeners = this.#listeners;
    this.#listeners = NOBODY;
    for (const listener of listeners) {
      // what the one before has let out may have led to another label, and what was not tried has not failed
      if (this.#asked().unsettled) this.settle(listener);
      else listener.onVerdict(this.#verdict());
    }
  }

  answerRefusal(create: () => NodeResponse, done: (refusal: NodeResponse) => void): void {
    const { req, headersAtEntry, mount } = this.#exchange;
    const refusal = {
      violation: this.#violation ?? PERSIST_FAILED,
      render: this.#denial ?? mount.denial,
      headersAtEntry,
      onFailure: (error: unknown) => {
        const secrets = this.#secrets();
        this.access.raise({
          alarm: 'denial_not_rendered',
          route: routeName(req, secrets),
          error: errorText(error, secrets),
        });
      },
    };
    renderRefusal(refusal, create, done);
  }

  #verdict(): Verdict {
    if (this.#replaces) {
      this.#replaces = false;
      return 'refuse';
    }
    if (!this.#asked().pending || this.#denied) return 'release';
    this.record(PERSIST_FAILED);
    this.#denied = true;
    this.#answered = true;
    return 'refuse';
  }

  /** G3. Whether what is held is a denial. */
  #isDenied(): boolean {
    this.#denied ||= this.#listeners.some(({ status }) => this.#isDenial(status));
    return this.#denied;
  }

  /** A violation that was only recorded makes no denial of a response that is none. */
  #isDenial(status = 0): boolean {
    return status === 401 || status === 403 || (this.#violation !== undefined && status >= 400);
  }

  #secrets(): string[] {
    return [this.sessionId ?? '', ...this.labels];
  }
}
