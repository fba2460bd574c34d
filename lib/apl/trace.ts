import type { Position } from './policy-document-error.js';
import type { SourceText } from './source-text.js';

/**
 * The effect of a rule, a chain or a decision point: `denies` ends the section. Chains pass a value, replace it, or omit the field.
 * Decision points allow or deny.
 */
export type TraceOutcome = 'applies' | 'does not apply' | 'denies' | 'allows' | 'passes' | 'replaces' | 'omits';

/** One thing that an evaluation did. It holds texts of the document, and no value of an attribute. */
export interface TraceEvent {
  /** The place: `routes.tool:pay.apl.pre_invocation[2]`. */
  readonly rule: string;
  /** The text of the rule or its condition; `undefined` for chains, and for an effect of the rule before. */
  readonly text: string | undefined;
  readonly file: string | undefined;
  /** `undefined` for documents that were given as objects. */
  readonly position: Position | undefined;
  readonly outcome: TraceOutcome;
  /** The conditions that were evaluated, in this order. */
  readonly conditions: readonly TracedCondition[];
}

export interface TracedCondition {
  readonly text: string;
  readonly holds: boolean;
}

export type TraceListener = (event: TraceEvent) => void;

/** Makes an event. */
export function traceEvent(
  rule: string,
  outcome: TraceOutcome,
  source?: SourceText,
  conditions: readonly TracedCondition[] = [],
): TraceEvent {
  const { text, origin, start = 0 } = source ?? {};
  return { rule, text, file: origin?.file, position: origin?.at(start), outcome, conditions };
}
