import { askPlugin } from './ask-plugin.js';
import type { Attributes } from './attributes.js';
import type { Taint } from './decision.js';
import type { Plugin, PluginCall } from './engines.js';
import { holds } from './evaluate-predicate.js';
import type { Predicate } from './expression.js';
import type { Steps } from './settle.js';
import type { Bounds, Stage, TypeName } from './stages.js';

/** The result of a chain for a value. */
export type ChainOutcome =
  | { readonly outcome: 'pass'; readonly taints: readonly Taint[] }
  | { readonly outcome: 'replace'; readonly value: unknown; readonly taints: readonly Taint[] }
  | { readonly outcome: 'omit'; readonly taints: readonly Taint[] }
  | {
      readonly outcome: 'deny';
      readonly reason: string;
      /** The index of the stage that denies. */
      readonly stage: number;
      readonly taints: readonly Taint[];
      /** The error that a plugin has thrown, for the log. */
      readonly cause?: unknown;
    };

export interface ChainRun {
  readonly attributes: Attributes;
  readonly plugins: ReadonlyMap<string, Plugin>;
  readonly phase: PluginCall['phase'];
  readonly absent: 'deny' | undefined;
  /** The path of the field, for plugins. */
  readonly path: string;
  /** Leaves values out of reasons. A client that may not see a result must not find it in the reason either. */
  readonly hidesValues: boolean;
}

const TYPE_NAMES: Readonly<Record<TypeName, string>> = {
  str: 'Str',
  int: 'Int',
  bool: 'Bool',
  float: 'Float',
  email: 'Email',
  url: 'Url',
  uuid: 'Uuid',
};
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function* applyChain(stages: readonly Stage[], given: unknown, run: ChainRun): Steps<ChainOutcome> {
  let value = given;
  let isReplaced = false;
  const taints: Taint[] = [];
  for (const [index, stage] of stages.entries()) {
    switch (stage.kind) {
      case 'taint':
        taints.push([stage.label, stage.scopes]);
        break;
      case 'omit':
        return { outcome: 'omit', taints };
      case 'redact': {
        const verdict = verdictOf(stage.when, run);
        if (verdict === 'absent') return { outcome: 'deny', reason: 'access denied', stage: index, taints };
        if (verdict === 'applies') [value, isReplaced] = ['[REDACTED]', true];
        break;
      }
      case 'plugin': {
        const answer = yield* askPlugin(stage.name, { phase: run.phase, field: { path: run.path, value } }, run);
        taints.push(...answer.taints);
        if ('reason' in answer) {
          const { reason, cause } = answer;
          return { outcome: 'deny', reason, stage: index, taints, ...(cause === undefined ? {} : { cause }) };
        }
        if (answer.value) [value, isReplaced] = [answer.value.replacement, true];
        break;
      }
      default: {
        const reason = faultOf(stage, value, run.hidesValues);
        if (reason !== undefined) return { outcome: 'deny', reason, stage: index, taints };
        if (stage.kind === 'mask') [value, isReplaced] = [masked(value as string, stage.keep), true];
      }
    }
  }
  return isReplaced ? { outcome: 'replace', value, taints } : { outcome: 'pass', taints };
}

function verdictOf(when: Predicate | undefined, { attributes, absent }: ChainRun) {
  if (when === undefined) return 'applies';
  let isAbsent = false;
  const onAbsent = () => {
    isAbsent = absent === 'deny';
  };
  const applies = holds(when.expression, attributes, { onAbsent });
  // a value that must be hidden could leave otherwise
  if (isAbsent) return 'absent';
  return applies ? 'applies' : 'does not apply';
}

function faultOf(stage: Stage, value: unknown, hidesValue: boolean): string | undefined {
  switch (stage.kind) {
    case 'type':
      return hasType(stage.type, value) ? undefined : `expected ${TYPE_NAMES[stage.type]}, got ${kindOf(value)}`;
    case 'length': {
      if (typeof value !== 'string') return `len(...) requires string value, got ${kindOf(value)}`;
      const length = [...value].length;
      return isWithin(length, stage.bounds) ? undefined : `length ${length} outside ${rangeText(stage.bounds)}`;
    }
    case 'range': {
      if (!isInteger(value)) return `range requires integer value, got ${kindOf(value)}`;
      const shown = hidesValue ? 'value' : `value ${value}`;
      return isWithin(value, stage.bounds) ? undefined : `${shown} outside ${rangeText(stage.bounds)}`;
    }
    case 'enum': {
      if (typeof value !== 'string') return `enum(...) requires string value, got ${kindOf(value)}`;
      const shown = hidesValue ? 'value' : `value \`${value}\``;
      return stage.values.includes(value) ? undefined : `${shown} not in enum [${stage.values.map(quoted).join(', ')}]`;
    }
    case 'regex': {
      if (typeof value !== 'string') return `regex requires string value, got ${kindOf(value)}`;
      const matches = stage.matches(value);
      if (matches === undefined) return `regex \`${stage.pattern}\` has \\b, which needs ASCII text`;
      return matches ? undefined : `value did not match regex \`${stage.pattern}\``;
    }
    case 'mask':
      return typeof value === 'string' ? undefined : `mask(...) requires string value, got ${kindOf(value)}`;
    default:
      return undefined;
  }
}

function hasType(type: TypeName, value: unknown): boolean {
  switch (type) {
    case 'str':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return isInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'email':
      return typeof value === 'string' && value.includes('@') && value.includes('.');
    case 'url':
      return typeof value === 'string' && (value.startsWith('http://') || value.startsWith('https://'));
    case 'uuid':
      return typeof value === 'string' && UUID.test(value);
  }
}

function masked(value: string, keep: number): string {
  const characters = [...value];
  const hidden = Math.max(0, characters.length - keep);
  return '*'.repeat(hidden) + characters.slice(hidden).join('');
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs(value as number) < 2 ** 63;
}

function isWithin(value: number, { least, most }: Bounds): boolean {
  return (least === undefined || value >= least) && (most === undefined || value <= most);
}

/** The bounds and the values in reasons look as in CPEX, because clients may compare them. */
function rangeText({ least, most }: Bounds): string {
  const bound = (value: bigint | undefined) => (value === undefined ? 'None' : `Some(${value})`);
  return `[${bound(least)}, ${bound(most)}]`;
}

function quoted(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' };
  return `"${text.replace(/["\\]/g, '\\$&').replace(/[\n\r\t\0]/g, (control) => escapes[control] ?? '')}"`;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return isInteger(value) ? 'int' : 'float';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
