import { checkAttributes } from './attribute-names.js';
import { callArguments, lastColon, quotedArguments, unquoted } from './calls.js';
import { type Expression, type Predicate, parsePredicate } from './expression.js';
import type { LanguageContext } from './language-context.js';
import { fault, type SourceText, slice, trimmed } from './source-text.js';
import {
  type PluginStep,
  parseChain,
  parsePlugin,
  parseTaint,
  STAGE_WORDS,
  type Stage,
  type TaintStep,
} from './stages.js';
import { tokenReader } from './token-reader.js';

/** An entry of `pre_invocation`, `post_invocation`, `on_allow` or `on_deny`. */
export type Entry = RuleStep | DecisionStep;

/** The effect of a rule. */
export type Effect =
  | { readonly kind: 'allow' }
  | { readonly kind: 'deny'; readonly reason: string | undefined; readonly code: string | undefined }
  | TaintStep
  | PluginStep
  | {
      readonly kind: 'field';
      readonly side: 'args' | 'result';
      readonly path: string;
      readonly stages: readonly Stage[];
    }
  | { readonly kind: 'sequential'; readonly effects: readonly Effect[] };

export interface RuleStep {
  readonly kind: 'rule';
  /** The place, which is the code of a denial without a code: `global.apl.pre_invocation[0]`. */
  readonly rule: string;
  readonly source: SourceText;
  /** `undefined` for a rule that always applies. */
  readonly when: Predicate | undefined;
  readonly effects: readonly Effect[];
}

export interface DecisionStep {
  readonly kind: 'decision';
  readonly rule: string;
  readonly source: SourceText;
  readonly dialect: string;
  readonly arguments: string | Readonly<Record<string, unknown>>;
  readonly onAllow: readonly Entry[];
  readonly onDeny: readonly Entry[];
}

/** The part of a document that has the step. */
export interface StepContext extends LanguageContext {
  readonly phase: 'pre' | 'post';
  /** The place of the entry. */
  readonly rule: string;
}

const DENY: Effect = { kind: 'deny', reason: undefined, code: undefined };

/** Calls of CPEX that this package does not have, each with its replacement. */
const REFUSED_CALLS: Readonly<Record<string, string>> = {
  delegate: 'Exchange tokens in the handler, and state the outcome as an attribute.',
  require_approval: 'Ask for approvals in the handler, and deny with req.security.deny().',
  require_step_up: 'Ask for it in the handler, and deny with req.security.deny().',
  require_attestation: 'Ask for it in the handler, and deny with req.security.deny().',
  require_review: 'Ask for it in the handler, and deny with req.security.deny().',
  request_info: 'Ask for it in the handler, and deny with req.security.deny().',
  confirm: 'Ask for it in the handler, and deny with req.security.deny().',
  validate: 'CPEX does not implement it. Use a chain with regex("pattern"), or plugin(name).',
};

/** Parses an entry that is a string: a rule, a taint or a plugin. */
export function parseEntryText(untrimmed: SourceText, context: StepContext): RuleStep {
  const source = trimmed(untrimmed);
  const call = parseCall(source, context);
  return call
    ? { kind: 'rule', rule: context.rule, source, when: undefined, effects: [call] }
    : parseRule(source, context);
}

/** Parses an effect: what a rule does in `do`, in a list, or in `sequential`. */
export function parseEffectText(untrimmed: SourceText, context: StepContext): Effect {
  const source = trimmed(untrimmed);
  const effect = parseAction(source, context) ?? parseFieldEffect(source, context) ?? parseCall(source, context);
  if (effect) return effect;
  throw fault(
    source,
    'A rule cannot stand here',
    "An effect is allow, deny, deny('reason', 'code'), taint(label), plugin(name) or args.field | chain. Put a condition into an entry of its own.",
  );
}

function parseCall(source: SourceText, context: StepContext): Effect | undefined {
  const name = /^[a-z_]+(?=\()/.exec(source.text)?.[0] ?? '';
  if (Object.hasOwn(REFUSED_CALLS, name)) throw fault(source, `${name}() is not supported`, REFUSED_CALLS[name] ?? '');
  if (name === 'taint') return parseTaint(source, callArguments(source, name), context);
  if (name === 'plugin' || name === 'run') return parsePlugin(source, callArguments(source, name), context);
  return undefined;
}

function parseRule(source: SourceText, context: StepContext): RuleStep {
  const { rule } = context;
  const made = (when: Predicate | undefined, effect: Effect): RuleStep => {
    if (when) checkAttributes(when, context);
    return { kind: 'rule', rule, source, when, effects: [effect] };
  };
  if (source.text.startsWith('require(')) return made(parseRequire(source), DENY);
  const isDecision = /^(?:cedar:|cel:|sequential:|parallel:|opa\(|authzen\(|nemo\()/.test(source.text);
  if (isDecision)
    throw fault(
      source,
      'This step must be a map, not a string',
      "Write - cel: { expr: '…' }, without quotes around it.",
    );
  const colon = lastColon(source.text);
  if (colon >= 0) {
    const action = trimmed(slice(source, colon + 1));
    const effect = parseAction(action, context);
    if (!effect) {
      const fix =
        "After the colon write deny, deny('reason'), deny('reason', 'code') or allow. For other effects use when: and do:.";
      throw fault(source, `Unknown action ${JSON.stringify(action.text)}`, fix, colon + 1);
    }
    return made(parsePredicate(slice(source, 0, colon)), effect);
  }
  const action = parseAction(source, context);
  if (action) return made(undefined, action);
  const predicate = parsePredicate(source);
  if (context.strict) refuseChain(predicate);
  return made(predicate, DENY);
}

/** `args.x | redact` is a predicate, and changes nothing. */
function refuseChain({ expression, source }: Predicate): void {
  const parts = expression.kind === 'or' ? expression.parts : [];
  if (!parts.some((part) => part.kind === 'key' && STAGE_WORDS.has(part.key.text))) return;
  const fix = 'Put the chain under args: or result:, or into do: of a rule with when:.';
  throw fault(source, 'This chain is read as a condition, and changes no field', fix);
}

function parseRequire(source: SourceText): Predicate {
  const reader = tokenReader(source);
  reader.expect('require', 'Write require(key).');
  reader.expect('(', 'Write require(key).');
  const fix =
    'require() takes keys: require(a, b) or require(a | b). For other conditions write a rule: !(condition): deny.';
  const denials: Expression[] = [];
  let separator: string | undefined;
  do {
    const { key, token } = reader.key(fix);
    denials.push({ kind: 'not', inner: { kind: 'key', key, start: token.start, end: token.end } });
    const next = reader.peek()?.text;
    if (separator !== undefined && (next === ',' || next === '|') && next !== separator) {
      throw reader.unexpected('Use either , or | in one require(), not both.');
    }
    separator ??= next;
  } while (reader.accept(',', '|'));
  reader.expect(')', fix);
  if (reader.peek()) throw reader.unexpected('require() is a complete rule. Nothing may follow it.');
  const [first] = denials;
  if (denials.length === 1 && first) return { expression: first, source };
  return { expression: { kind: separator === '|' ? 'and' : 'or', parts: denials }, source };
}

/** `undefined` for text that is no action. */
function parseAction(source: SourceText, { strict }: StepContext): Effect | undefined {
  if (source.text === 'allow') return { kind: 'allow' };
  if (source.text === 'deny') return DENY;
  if (!source.text.startsWith('deny(')) return undefined;
  const parts = quotedArguments(callArguments(source, 'deny'));
  const texts = parts?.map((part) => unquoted(trimmed(part).text)) ?? [];
  if (texts.length > 2 || texts[0] === undefined || texts.includes(undefined)) {
    throw fault(source, 'deny() takes one or two strings in quotes', "Write deny('reason') or deny('reason', 'code').");
  }
  if (strict && texts.includes('')) throw fault(source, 'A reason or a code is empty', 'Write text, or leave it out.');
  return { kind: 'deny', reason: texts[0], code: texts[1] };
}

const FIELD = /^(args|result)\.([\p{Alphabetic}\p{N}_]+(?:\.[\p{Alphabetic}\p{N}_]+)*)\s*\|(?!\|)/u;

/** `args.ssn | mask(4)`; `undefined` for text of another form. */
function parseFieldEffect(source: SourceText, context: StepContext): Effect | undefined {
  const [start = '', side, path] = FIELD.exec(source.text) ?? [];
  if (side === undefined || path === undefined) return undefined;
  const stages = parseChain(slice(source, start.length), context);
  if (stages.length === 0) throw fault(source, 'The chain has no stage', 'Write args.ssn | mask(4).');
  if (context.strict && (side === 'args') !== (context.phase === 'pre')) {
    const fix = side === 'args' ? 'Put it under pre_invocation.' : 'Put it under post_invocation.';
    throw fault(source, 'This field does not exist in this phase, so the chain would do nothing', fix);
  }
  return { kind: 'field', side: side as 'args' | 'result', path, stages };
}
