import { nearestName } from '../options/nearest-name.js';
import { type DocumentNode, kindOfNode, type MapEntry, type MapNode } from './document-node.js';
import type { LanguageContext } from './language-context.js';
import { changesFields } from './reads.js';
import { fault } from './source-text.js';
import { type FieldChain, parseChain } from './stages.js';
import { parseEntry } from './step-maps.js';
import type { Entry } from './steps.js';

/** The rules and chains of one section, or of several that were merged. */
export interface SectionRules {
  readonly args: readonly FieldChain[];
  readonly preInvocation: readonly Entry[];
  readonly result: readonly FieldChain[];
  readonly postInvocation: readonly Entry[];
  /** Whether an effect of a rule works on a field. */
  readonly changesFields: boolean;
}

const PHASES = ['pre_invocation', 'post_invocation'] as const;
type Phase = (typeof PHASES)[number];

const SECTION_KEYS: readonly string[] = ['apl', 'authorization', ...PHASES, 'args', 'result'];

/** Keys beside the rules that may also stand below `apl:`. */
const WRAPPED_KEYS: readonly string[] = ['response', 'session_store', 'pdp', 'attribute_files', 'plugins'];

/** Keys of CPEX that this package does not have, each with its replacement. */
const REFUSED_KEYS: Readonly<Record<string, string>> = {
  policy: 'Write authorization: { pre_invocation: […] }.',
  post_policy: 'Write authorization: { post_invocation: […] }.',
  identity: 'Authenticate with middleware of Express before this guard.',
  authentication: 'Authenticate with middleware of Express before this guard.',
  plugins: 'Call plugins from rules with plugin(name), and pass the functions in the option plugins.',
  capabilities: 'Plugins of this package are functions of the app.',
};

/**
 * Compiles a section.
 * @param name the start of the codes of its denials, for example `global.apl`
 * @param also keys that the caller reads itself
 */
export function parseSection(
  section: MapNode,
  name: string,
  also: readonly string[],
  context: LanguageContext,
): SectionRules {
  const rules = wrapped(section, also, context);
  const wrappable = also.filter((key) => WRAPPED_KEYS.includes(key));
  checkKeys(rules, rules === section ? [...SECTION_KEYS, ...also] : [...SECTION_KEYS.slice(1), ...wrappable], context);
  const steps = (phase: Phase) =>
    listOf(rules, phase).map((entry, index) =>
      parseEntry(entry, {
        ...context,
        phase: phase === 'pre_invocation' ? 'pre' : 'post',
        rule: `${name}.${phase}[${index}]`,
      }),
    );
  return mergedRules([
    {
      args: chainsOf(rules, 'args', name, context),
      preInvocation: steps('pre_invocation'),
      result: chainsOf(rules, 'result', name, context),
      postInvocation: steps('post_invocation'),
    },
  ]);
}

/** Merges layers, the least specific first: rules are appended, and the chain of a field replaces an earlier one. */
export function mergedRules(layers: readonly Omit<SectionRules, 'changesFields'>[]): SectionRules {
  const chains = (side: 'args' | 'result') => {
    const byPath = new Map<string, FieldChain>();
    for (const layer of layers) {
      for (const chain of layer[side]) {
        // a later layer moves the field to its own place
        byPath.delete(chain.path);
        byPath.set(chain.path, chain);
      }
    }
    return [...byPath.values()];
  };
  const preInvocation = layers.flatMap((layer) => layer.preInvocation);
  const postInvocation = layers.flatMap((layer) => layer.postInvocation);
  return {
    args: chains('args'),
    preInvocation,
    result: chains('result'),
    postInvocation,
    changesFields: changesFields([...preInvocation, ...postInvocation]),
  };
}

/** An `apl` wrapper takes the place of the keys beside it. */
function wrapped(section: MapNode, also: readonly string[], context: LanguageContext): MapNode {
  const wrapper = section.entries.get('apl');
  if (!wrapper) return section;
  checkKeys(section, ['apl', ...also], { ...context, strict: true });
  if (wrapper.value.kind === 'map') return wrapper.value;
  throw fault(wrapper.key, `apl: is ${kindOfNode(wrapper.value)}`, 'Write the rules below it, or remove it.');
}

/** Refuses keys that would be ignored. */
export function checkKeys({ entries }: MapNode, known: readonly string[], { strict }: LanguageContext): void {
  for (const [name, { key }] of entries) {
    if (known.includes(name)) continue;
    if (Object.hasOwn(REFUSED_KEYS, name)) throw fault(key, `${name}: is not supported`, REFUSED_KEYS[name] ?? '');
    if (!strict) continue;
    const near = nearestName(name, known);
    const fix = near === undefined ? `The keys here are ${known.join(', ')}.` : `Did you mean ${near}?`;
    throw fault(key, 'Unknown key', fix);
  }
}

function listOf(rules: MapNode, phase: Phase): readonly DocumentNode[] {
  const authorization = rules.entries.get('authorization');
  const isEmpty = authorization?.value.kind === 'scalar' && authorization.value.value === null;
  if (authorization && !isEmpty && authorization.value.kind !== 'map') {
    throw fault(
      authorization.key,
      `authorization: is ${kindOfNode(authorization.value)}`,
      'Write pre_invocation: below it.',
    );
  }
  const nested = authorization?.value.kind === 'map' ? authorization.value : undefined;
  for (const [name, { key }] of nested?.entries ?? []) {
    if (!PHASES.includes(name as Phase)) {
      throw fault(key, 'Unknown key of authorization', 'The keys are pre_invocation and post_invocation.');
    }
  }
  const lists = [nested?.entries.get(phase), rules.entries.get(phase)].map((entry) => itemsOf(entry));
  const [inner = [], flat = []] = lists;
  if (inner.length > 0 && flat.length > 0) {
    const key = rules.entries.get(phase)?.key ?? rules.source;
    throw fault(key, 'The phase is also below authorization:', 'Keep one of the two lists.');
  }
  return [...inner, ...flat];
}

function itemsOf(entry: MapEntry | undefined): readonly DocumentNode[] {
  if (!entry) return [];
  if (entry.value.kind === 'list') return entry.value.items;
  throw fault(entry.key, `The list of rules is ${kindOfNode(entry.value)}`, 'Write a list of rules.');
}

function chainsOf(rules: MapNode, side: 'args' | 'result', name: string, context: LanguageContext): FieldChain[] {
  const entry = rules.entries.get(side);
  if (!entry) return [];
  if (entry.value.kind !== 'map') {
    throw fault(entry.key, `${side}: is ${kindOfNode(entry.value)}`, `Write ${side}: { field: 'str' }.`);
  }
  const phase = side === 'args' ? 'pre' : 'post';
  return [...entry.value.entries].map(([path, { key, value }]) => {
    if (context.strict && !path.split('.').every(isFieldName)) {
      throw fault(key, 'No field has this path', 'Write names and dots: user.email. A chain does not look into lists.');
    }
    if (value.kind !== 'text') {
      throw fault(key, `The chain of this field is ${kindOfNode(value)}`, 'Write a chain as a string.');
    }
    return { path, rule: `${name}.${side}.${path}`, stages: parseChain(value.source, { ...context, phase }) };
  });
}

function isFieldName(part: string): boolean {
  return part !== '' && part.trim() === part && !/[*[\]]/.test(part);
}
