import { assertLabel, MAX_LABEL_BYTES } from '../labels/label.js';
import { checkAttributes } from './attribute-names.js';
import { callArguments, matching, splitOutside, unquoted } from './calls.js';
import type { TaintScope } from './decision.js';
import { type Predicate, parsePredicate } from './expression.js';
import { knownPlugin } from './known-engines.js';
import type { LanguageContext } from './language-context.js';
import { compileRegularExpression, type Matcher } from './regular-expression.js';
import { fault, type SourceText, slice, trimmed } from './source-text.js';

export type TypeName = 'str' | 'int' | 'bool' | 'float' | 'email' | 'url' | 'uuid';

/** Inclusive bounds; one of them may be missing. */
export interface Bounds {
  readonly least: bigint | undefined;
  readonly most: bigint | undefined;
}

export type Stage =
  | { readonly kind: 'type'; readonly type: TypeName }
  | { readonly kind: 'length'; readonly bounds: Bounds }
  | { readonly kind: 'range'; readonly bounds: Bounds }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'regex'; readonly pattern: string; readonly matches: Matcher }
  | { readonly kind: 'mask'; readonly keep: number }
  | { readonly kind: 'redact'; readonly when: Predicate | undefined }
  | { readonly kind: 'omit' }
  | TaintStep
  | PluginStep;

/** A chain for a field of the arguments or of the result. */
export interface FieldChain {
  readonly path: string;
  /** The place, which is the code of its denials: `global.apl.args.ssn`. */
  readonly rule: string;
  readonly stages: readonly Stage[];
}

export interface TaintStep {
  readonly kind: 'taint';
  readonly label: string;
  readonly scopes: readonly TaintScope[];
}

export interface PluginStep {
  readonly kind: 'plugin';
  readonly name: string;
}

const TYPES: ReadonlySet<string> = new Set(['str', 'int', 'bool', 'float', 'email', 'url', 'uuid']);

/** Words that start a stage. A rule line that has one after `|` is a chain in the wrong place. */
export const STAGE_WORDS: ReadonlySet<string> = new Set([
  ...TYPES,
  ...['len', 'enum', 'regex', 'mask', 'redact', 'omit', 'hash', 'pii.detect', 'pii.redact', 'injection.scan'],
]);

/** Stages of CPEX that this package does not have, each with its replacement. */
const REFUSED: Readonly<Record<string, string>> = {
  hash: 'Its value differs between versions of CPEX, and it can be guessed. Use redact, mask(n) or a plugin.',
  'pii.detect': 'It detects nothing in CPEX: it taints every value. Write taint(PII), or detect with a plugin.',
  'pii.redact': 'It detects nothing in CPEX. Write taint(PII) | redact, or detect with a plugin.',
  'injection.scan': 'It scans nothing in CPEX: it taints every value. Write taint(injection), or scan with a plugin.',
  validate: 'CPEX does not implement it. Use regex("pattern") or plugin(name).',
};

const LONGEST = 10_000;

/** @throws PolicyDocumentError */
export function parseChain(source: SourceText, context: LanguageContext): Stage[] {
  if (source.text.length > LONGEST)
    throw fault(source, `The chain is longer than ${LONGEST} characters`, 'Shorten it.');
  return splitOutside(trimmed(source), '|')
    .map(trimmed)
    .filter(({ text }) => text !== '')
    .map((stage) => parseStage(stage, context));
}

function parseStage(source: SourceText, context: LanguageContext): Stage {
  const { text } = source;
  const bounds = text.includes('..') && !/^[A-Za-z_]/.test(text) ? parseBounds(text) : undefined;
  if (bounds) return { kind: 'range', bounds };
  const open = text.indexOf('(');
  if (open < 0) return parseWord(source);
  const head = trimmed(slice(source, 0, open)).text;
  if (Object.hasOwn(REFUSED, head)) throw refused(source, head);
  if (matching(text, open) < 0 || head === '') throw unknownStage(source);
  return parseCall(source, head, callArguments(source, text.slice(0, open)), context);
}

function parseWord(source: SourceText): Stage {
  const { text } = source;
  if (TYPES.has(text)) return { kind: 'type', type: text as TypeName };
  if (text === 'redact') return { kind: 'redact', when: undefined };
  if (text === 'omit') return { kind: 'omit' };
  if (Object.hasOwn(REFUSED, text)) throw refused(source, text);
  throw unknownStage(source);
}

function parseCall(source: SourceText, head: string, inside: SourceText, context: LanguageContext): Stage {
  const argument = trimmed(inside);
  switch (head) {
    case 'mask': {
      if (!/^\+?[0-9]{1,15}$/.test(argument.text)) throw fault(source, 'mask() takes a number', 'Write mask(4).');
      return { kind: 'mask', keep: Number(argument.text) };
    }
    case 'redact': {
      const when = parsePredicate(inside);
      checkAttributes(when, context);
      return { kind: 'redact', when };
    }
    case 'len': {
      const bounds = parseBounds(argument.text);
      const isNegative = (bound: bigint | undefined) => bound !== undefined && bound < 0n;
      if (!bounds || isNegative(bounds.least) || isNegative(bounds.most)) {
        throw fault(source, 'len() takes a range of numbers from 0', 'Write len(1..64), len(1..) or len(..64).');
      }
      return { kind: 'length', bounds };
    }
    case 'enum': {
      const values = splitOutside(inside, ',').map((part) => unquoted(trimmed(part).text) ?? trimmed(part).text);
      const given = values.filter((value) => value !== '');
      if (given.length === 0) throw fault(source, 'enum() has no value', 'Write enum(eu, us).');
      return { kind: 'enum', values: given };
    }
    case 'regex': {
      const pattern = unquoted(argument.text) ?? argument.text;
      return { kind: 'regex', pattern, matches: compileRegularExpression(source, pattern) };
    }
    case 'taint':
      return parseTaint(source, inside, context);
    case 'plugin':
    case 'run':
      return parsePlugin(source, inside, context);
    default:
      throw unknownStage(source);
  }
}

/** @param inside what is between the parentheses */
export function parsePlugin(source: SourceText, inside: SourceText, context: LanguageContext): PluginStep {
  const name = trimmed(inside).text;
  if (name === '') throw fault(source, 'The call has no name of a plugin', 'Write plugin(name).');
  knownPlugin(source, name, context);
  return { kind: 'plugin', name };
}

/** @param inside what is between the parentheses */
export function parseTaint(source: SourceText, inside: SourceText, { strict }: LanguageContext): TaintStep {
  const [first, ...others] = splitOutside(inside, ',');
  const label = trimmed(first as SourceText).text;
  if (label === '') throw fault(source, 'taint() has no label', 'Write taint(secret).');
  if (strict && /["']/.test(label)) {
    throw fault(
      source,
      'Quotes would be part of the label',
      `Write taint(${label.replace(/["']/g, '')}) without quotes.`,
    );
  }
  if (strict) checkLabel(source, label);
  const scopeText = others
    .map(({ text }) => text)
    .join(',')
    .trim();
  if (others.length === 0) return { kind: 'taint', label, scopes: ['session'] };
  const list = /^\[(.*)\]$/s.exec(scopeText)?.[1];
  const scopes = (list === undefined ? [scopeText] : list.split(',')).map((scope) => scope.trim());
  const isScope = (scope: string): scope is TaintScope => scope === 'session' || scope === 'message';
  if (!scopes.every(isScope)) {
    throw fault(
      source,
      'Unknown scope of taint()',
      'Write taint(label, session), taint(label, message) or both: taint(label, [session, message]).',
    );
  }
  return { kind: 'taint', label, scopes };
}

function checkLabel(source: SourceText, label: string): void {
  try {
    assertLabel(label);
  } catch {
    const fix = `Labels have at most ${MAX_LABEL_BYTES} bytes, and no control characters.`;
    throw fault(source, 'No store accepts this label', fix);
  }
}

/** `0..100`, `..500`, `0..1k`; `undefined` for other text. */
function parseBounds(text: string): Bounds | undefined {
  const at = text.indexOf('..');
  if (at < 0) return undefined;
  const [left, right] = [text.slice(0, at).trim(), text.slice(at + 2).trim()];
  if (left === '' && right === '') return undefined;
  const [least, most] = [boundOf(left), boundOf(right)];
  return least === 'invalid' || most === 'invalid' ? undefined : { least, most };
}

function boundOf(text: string): bigint | undefined | 'invalid' {
  if (text === '') return undefined;
  const match = /^([+-]?[0-9]{1,30})([kKmM]?)$/.exec(text);
  if (!match) return 'invalid';
  const factor = /k/i.test(match[2] ?? '') ? 1_000n : match[2] ? 1_000_000n : 1n;
  const bound = BigInt((match[1] ?? '').replace('+', '')) * factor;
  return bound >= -(2n ** 63n) && bound < 2n ** 63n ? bound : 'invalid';
}

function refused(source: SourceText, word: string): Error {
  return fault(source, `${word} is not supported`, REFUSED[word] ?? '');
}

function unknownStage(source: SourceText): Error {
  const fix =
    'Stages are str, int, bool, float, email, url, uuid, len(1..9), 0..100, enum(a, b), regex("…"), mask(4), redact, redact(predicate), omit, taint(label) and plugin(name).';
  return fault(source, 'Unknown stage of a chain', fix);
}
