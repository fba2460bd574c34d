import type { MaybePromise } from '../util/maybe-promise.js';
import { type Attributes, assertAttributes } from './attributes.js';
import type { Decision, RuleDecision } from './decision.js';
import type { LanguageContext } from './language-context.js';
import { attributesOfValue, type Payload, type PayloadSide, valueOfAttributes } from './payload.js';
import { readsOf } from './reads.js';
import { type Denial, type Run, runChains, runEntries } from './run-steps.js';
import type { SectionRules } from './section-source.js';
import { type Steps, settle } from './settle.js';
import type { TraceListener } from './trace.js';

/** A section is evaluated on these, and on the attributes. */
export interface SectionInput {
  /**
   * `pre` runs the chains of `args` and then `pre_invocation`; `post` runs the chains of `result` and then `post_invocation`.
   * @default both; `post` does not run if `pre` denies
   */
  readonly phase?: 'pre' | 'post';
  /** The arguments of the call, as JSON. Rules read them as `args.*`. Default: what the attributes `args.*` describe. */
  readonly args?: unknown;
  /** The result of the call, as JSON. Rules of `post` read it as `result.*`. Default: what the attributes `result.*` describe. */
  readonly result?: unknown;
  /** Called for each rule and chain that runs. */
  readonly trace?: TraceListener;
}

/** A part of a section: its chains for arguments or results, or one of its lists of rules. */
export interface SectionPart {
  /** Whether the part has nothing to run. */
  readonly isEmpty: boolean;
  /** The attributes that it reads, sorted. Keys with a group are patterns: `data.*`. Fields of chains are included. */
  readonly reads: readonly string[];
}

/** The four parts, in the order in which they run. */
export type PartName = 'args' | 'preInvocation' | 'result' | 'postInvocation';

/** A compiled section. It keeps no state, so one section serves all requests. */
export interface Section<Answer = Decision, RuleAnswer = RuleDecision> {
  readonly parts: Readonly<Record<PartName, SectionPart>>;
  /** Whether nothing can deny, taint or change a field. */
  readonly isEmpty: boolean;
  /**
   * Decides. The answer is a promise only if a plugin or a decision point has returned one.
   * @throws AplSessionError `policy.error` for attributes of a wrong type; deny then
   */
  evaluate(attributes: Attributes, input?: SectionInput): Answer;
  /** As `evaluate`, and names the rule that denied, for the log. `part` runs only this part. */
  decide(attributes: Attributes, input?: SectionInput & { readonly part?: PartName }): RuleAnswer;
}

/** A section whose answers may be promises. */
export type AsyncSection = Section<MaybePromise<Decision>, MaybePromise<RuleDecision>>;

const PARTS: readonly PartName[] = ['args', 'preInvocation', 'result', 'postInvocation'];

/** Makes a section of parsed rules. */
export function sectionOf(rules: SectionRules, context: LanguageContext, hidesValues: boolean): AsyncSection {
  const partOf = (part: PartName): SectionPart =>
    Object.freeze({ isEmpty: rules[part].length === 0, reads: Object.freeze(readsOf(rules[part], part)) });
  const parts = {
    args: partOf('args'),
    preInvocation: partOf('preInvocation'),
    result: partOf('result'),
    postInvocation: partOf('postInvocation'),
  };
  const decide = (attributes: Attributes, input: SectionInput & { part?: PartName } = {}) => {
    assertAttributes(attributes);
    return settle(runSection(rules, { attributes, input, context, hidesValues }));
  };
  return Object.freeze({
    parts: Object.freeze(parts),
    isEmpty: PARTS.every((part) => parts[part].isEmpty),
    decide,
    evaluate: (attributes: Attributes, input?: SectionInput) => withoutRule(decide(attributes, input)),
  });
}

interface Evaluation {
  readonly attributes: Attributes;
  readonly input: SectionInput & { readonly part?: PartName };
  readonly context: LanguageContext;
  readonly hidesValues: boolean;
}

function* runSection(rules: SectionRules, evaluation: Evaluation): Steps<RuleDecision> {
  const { input } = evaluation;
  const payload: Payload = { args: sideOf('args', rules, evaluation), result: sideOf('result', rules, evaluation) };
  const taints: Run['taints'] = [];
  for (const phase of ['pre', 'post'] as const) {
    const parts = PARTS.slice(phase === 'pre' ? 0 : 2, phase === 'pre' ? 2 : 4);
    const wanted = parts.filter((part) => (input.part ?? part) === part && rules[part].length > 0);
    if (wanted.length === 0 || (input.phase ?? phase) !== phase) continue;
    const run = runOf(phase, payload, taints, evaluation);
    for (const part of wanted) {
      const denial =
        part === 'args' || part === 'result'
          ? yield* runChains(rules[part], part, run)
          : yield* runEntries(rules[part], run);
      if (denial) return denied(denial, run);
    }
  }
  return { decision: 'allow', taints, ...changesOf(payload) };
}

function runOf(phase: Run['phase'], payload: Payload, taints: Run['taints'], evaluation: Evaluation): Run {
  const { attributes, input, context, hidesValues } = evaluation;
  const { plugins, decisionPoints, absent } = context;
  return {
    // rules of a phase see the values from before the chains of this phase
    attributes: attributesFor(phase, attributes, input, payload),
    payload,
    phase,
    plugins,
    decisionPoints,
    absent,
    hidesValues,
    taints,
    trace: input.trace,
  };
}

function attributesFor(phase: Run['phase'], attributes: Attributes, input: SectionInput, payload: Payload): Attributes {
  const hasArgs = input.args !== undefined;
  const hasResult = phase === 'post' && input.result !== undefined;
  if (!hasArgs && !hasResult) return attributes;
  return {
    ...attributes,
    ...(hasArgs && attributesOfValue('args', payload.args.value)),
    ...(hasResult && attributesOfValue('result', payload.result.value)),
  };
}

function sideOf(side: 'args' | 'result', rules: SectionRules, { attributes, input }: Evaluation): PayloadSide {
  if (input[side] !== undefined) return { value: input[side], isChanged: false };
  return { value: usesField(rules, side) ? valueOfAttributes(side, attributes) : undefined, isChanged: false };
}

function usesField(rules: SectionRules, side: 'args' | 'result'): boolean {
  return rules[side].length > 0 || rules.changesFields;
}

function denied({ code, reason = 'access denied', rule, cause }: Denial, { taints, payload }: Run): RuleDecision {
  return {
    decision: 'deny',
    // CPEX replaces an empty code in this way
    code: code === '' ? 'policy.deny' : code,
    reason,
    taints,
    ...changesOf(payload),
    rule,
    ...(cause === undefined ? {} : { cause }),
  };
}

function changesOf({ args, result }: Payload): { args?: unknown; result?: unknown } {
  return { ...(args.isChanged && { args: args.value }), ...(result.isChanged && { result: result.value }) };
}

function withoutRule(answer: MaybePromise<RuleDecision>): MaybePromise<Decision> {
  if ('then' in answer) return Promise.resolve(answer).then(withoutRule);
  if (answer.decision === 'allow') return answer;
  const { rule: _, cause: __, ...decision } = answer;
  return decision;
}
