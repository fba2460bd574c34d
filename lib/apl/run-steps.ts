import { isPlainObject } from '../options/plain-object.js';
import { isPromiseLike } from '../util/maybe-promise.js';
import { applyChain } from './apply-chain.js';
import { askPlugin } from './ask-plugin.js';
import type { Attributes } from './attributes.js';
import type { Taint } from './decision.js';
import type { DecisionPoint, Plugin } from './engines.js';
import { holds } from './evaluate-predicate.js';
import { fieldAt, type Payload, withField } from './payload.js';
import { isViolation } from './plugin-answer.js';
import type { Steps } from './settle.js';
import type { FieldChain, Stage } from './stages.js';
import type { DecisionStep, Effect, Entry, RuleStep } from './steps.js';
import { type TracedCondition, type TraceListener, traceEvent } from './trace.js';

/** One evaluation of a part of a section. */
export interface Run {
  readonly attributes: Attributes;
  readonly payload: Payload;
  readonly phase: 'pre' | 'post';
  readonly plugins: ReadonlyMap<string, Plugin>;
  readonly decisionPoints: ReadonlyMap<string, DecisionPoint>;
  readonly hidesValues: boolean;
  readonly absent: 'deny' | undefined;
  readonly taints: Taint[];
  readonly trace: TraceListener | undefined;
}

/** Why a run has ended. */
export interface Denial {
  readonly code: string;
  readonly reason: string | undefined;
  readonly rule: string;
  readonly cause?: unknown;
}

/** The names of CPEX for its decision points, in the code of one that fails. */
const DIALECT_NAMES: Readonly<Record<string, string>> = {
  cedar: 'Cedar',
  opa: 'Opa',
  authzen: 'AuthZen',
  nemo: 'NeMo',
  cel: 'Cel',
};

/** Runs entries in order until one denies. */
export function* runEntries(entries: readonly Entry[], run: Run): Steps<Denial | undefined> {
  for (const entry of entries) {
    if (entry.kind === 'decision') {
      const denial = yield* runDecision(entry, run);
      if (denial) return denial;
      continue;
    }
    const verdict = verdictOf(entry, run);
    if (verdict === 'absent') return { code: entry.rule, reason: undefined, rule: entry.rule };
    if (verdict === 'does not apply') continue;
    const denial = yield* runEffects(entry.effects, entry.rule, run);
    if (denial) return denial;
  }
  return undefined;
}

/** Runs the chains of fields that are present, in the order of the document. */
export function* runChains(
  chains: readonly FieldChain[],
  side: 'args' | 'result',
  run: Run,
): Steps<Denial | undefined> {
  for (const { path, rule, stages } of chains) {
    const denial = yield* runChain(stages, side, path, rule, run);
    if (denial) return denial;
  }
  return undefined;
}

function verdictOf({ when, rule, source }: RuleStep, run: Run): 'applies' | 'does not apply' | 'absent' {
  const { attributes, absent, trace } = run;
  if (when === undefined) {
    trace?.(traceEvent(rule, 'applies', source));
    return 'applies';
  }
  // the usual case needs no listener
  if (absent === undefined && trace === undefined) {
    return holds(when.expression, attributes) ? 'applies' : 'does not apply';
  }
  let isAbsent = false;
  const conditions: TracedCondition[] = [];
  const applies = holds(when.expression, attributes, {
    onAbsent: () => {
      isAbsent = absent === 'deny';
    },
    onCondition: ({ start, end }, result) =>
      conditions.push({ text: when.source.text.slice(start, end), holds: result }),
  });
  const outcome = isAbsent ? 'denies' : applies ? 'applies' : 'does not apply';
  trace?.(traceEvent(rule, outcome, source, conditions));
  return outcome === 'denies' ? 'absent' : outcome;
}

function* runEffects(effects: readonly Effect[], rule: string, run: Run): Steps<Denial | undefined> {
  for (const effect of effects) {
    switch (effect.kind) {
      case 'allow':
        break;
      case 'deny':
        run.trace?.(traceEvent(rule, 'denies'));
        return { code: effect.code ?? rule, reason: effect.reason, rule };
      case 'taint':
        run.taints.push([effect.label, effect.scopes]);
        break;
      default: {
        const denial = yield* runCall(effect, rule, run);
        if (denial) return denial;
      }
    }
  }
  return undefined;
}

function* runCall(
  effect: Extract<Effect, { kind: 'plugin' | 'field' | 'sequential' }>,
  rule: string,
  run: Run,
): Steps<Denial | undefined> {
  if (effect.kind === 'sequential') return yield* runEffects(effect.effects, rule, run);
  if (effect.kind === 'field') {
    // the value of the other phase does not exist
    if ((effect.side === 'args') !== (run.phase === 'pre')) return undefined;
    return yield* runChain(effect.stages, effect.side, effect.path, rule, run);
  }
  const answer = yield* askPlugin(effect.name, { phase: run.phase, field: undefined }, run);
  run.taints.push(...answer.taints);
  if (!('code' in answer)) return undefined;
  run.trace?.(traceEvent(rule, 'denies'));
  const { code, reason, cause } = answer;
  return { code, reason, rule, cause };
}

function* runChain(
  stages: readonly Stage[],
  side: 'args' | 'result',
  path: string,
  rule: string,
  run: Run,
): Steps<Denial | undefined> {
  const field = fieldAt(run.payload[side], path);
  if (!field) return undefined;
  const { attributes, plugins, phase, absent } = run;
  // a client may not read in the reason what the chain keeps from it
  const hidesValues = run.hidesValues && side === 'result';
  const made = yield* applyChain(stages, field.value, { attributes, plugins, phase, absent, path, hidesValues });
  run.taints.push(...made.taints);
  switch (made.outcome) {
    case 'deny':
      run.trace?.(traceEvent(rule, 'denies'));
      return { code: rule, reason: made.reason, rule, cause: made.cause };
    case 'omit':
      run.trace?.(traceEvent(rule, 'omits'));
      run.payload[side] = withField(run.payload[side], path, undefined);
      return undefined;
    case 'replace':
      run.trace?.(traceEvent(rule, 'replaces'));
      run.payload[side] = withField(run.payload[side], path, made);
      return undefined;
    case 'pass':
      run.trace?.(traceEvent(rule, 'passes'));
      return undefined;
  }
}

function* runDecision(step: DecisionStep, run: Run): Steps<Denial | undefined> {
  const { rule, source, onAllow, onDeny } = step;
  const answer = yield* askDecisionPoint(step, run);
  run.trace?.(traceEvent(rule, answer ? 'denies' : 'allows', source));
  if (answer === undefined) return yield* runEntries(onAllow, run);
  if (answer.isFailure) return answer;
  return (yield* runEntries(onDeny, run)) ?? answer;
}

function* askDecisionPoint(
  { dialect, arguments: given, rule }: DecisionStep,
  { decisionPoints, attributes }: Run,
): Steps<(Denial & { readonly isFailure: boolean }) | undefined> {
  const name = Object.hasOwn(DIALECT_NAMES, dialect) ? DIALECT_NAMES[dialect] : `Custom(${JSON.stringify(dialect)})`;
  const failed = (problem: string) => ({ code: `pdp:${name}`, reason: `PDP error: ${problem}`, rule, isFailure: true });
  const decide = decisionPoints.get(dialect);
  if (!decide) return failed(`no PDP resolver registered for dialect ${name}`);
  try {
    const pending: unknown = decide({ dialect, arguments: given }, attributes);
    const answer: unknown = isPromiseLike(pending) ? yield pending : pending;
    if (isPlainObject(answer)) {
      const { allow, code, reason } = answer;
      if (isViolation(allow, code, reason))
        return { code: code as string, reason: reason as string, rule, isFailure: false };
      if (allow === true && code === undefined && reason === undefined) return undefined;
    }
    return failed('the answer must be { allow: true } or a violation { code, reason }');
  } catch (cause) {
    return { ...failed('PDP dispatch failed'), cause };
  }
}
