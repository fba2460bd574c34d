import type { Verdict } from '../gate/gate-keeper.js';
import type { ResolvedSession } from '../session/resolved-session.js';

/** How much of a response is held. */
export interface HeldOutputSize {
  readonly heldBytes: number;
}

/** What watches a request on its way: the debug output, the event stream, or both. No method may throw. */
export interface RequestObserver {
  session(session: ResolvedSession): void;
  noSession(reason: string): void;
  servedByEarlierMount(): void;
  failed(error: unknown): void;
  loaded(labels: readonly string[]): void;
  loadFailed(cause: unknown): void;
  owedFailed(): void;
  added(label: string): void;
  appended(labels: readonly string[]): void;
  appendFailed(cause: unknown, secrets: readonly string[]): void;
  /** @param rule the place of the rule in its document */
  ruleDenies(guard: string, rule: string): void;
  /** @param instance the id of the denial; `undefined` if bytes had left, so that the connection is cut */
  denied(code: string, instance: string | undefined): void;
  /** @param output the output that is held */
  held(output: HeldOutputSize): void;
  /** @param instance the id of the denial, if there is one */
  verdict(verdict: Verdict, bytesSent: boolean, code: string | undefined, instance: string | undefined): void;
}
