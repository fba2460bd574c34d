import { checkAttributes } from './attribute-names.js';
import {
  type DocumentNode,
  kindOfNode,
  type ListNode,
  type MapEntry,
  type MapNode,
  plainValue,
} from './document-node.js';
import { parsePredicate } from './expression.js';
import { knownDialect } from './known-engines.js';
import { fault, type SourceText, trimmed, trimWhiteSpace } from './source-text.js';
import {
  type DecisionStep,
  type Effect,
  type Entry,
  parseEffectText,
  parseEntryText,
  type StepContext,
} from './steps.js';

const DIALECTS: ReadonlySet<string> = new Set(['cedar', 'opa', 'authzen', 'nemo', 'cel']);

/** Steps of CPEX that this package does not have, each with its replacement. */
const REFUSED_STEPS: Readonly<Record<string, string>> = {
  parallel: 'Use sequential, which has the same effects in order.',
  delegate: 'Exchange tokens in the handler, and state the outcome as an attribute.',
  restrict: 'It chooses backends of a gateway. Deny with a rule instead.',
};

/** Parses an entry of `pre_invocation`, `post_invocation`, `on_allow` or `on_deny`. */
export function parseEntry(node: DocumentNode, context: StepContext): Entry {
  if (node.kind === 'text') return parseEntryText(node.source, context);
  if (node.kind === 'map') return parseEntryMap(node, context);
  const fix = 'Write a rule as a string, or a map such as when: and do:.';
  throw fault(node.source, `An entry of a list of rules is ${kindOfNode(node)}`, fix);
}

function parseEntryMap(node: MapNode, context: StepContext): Entry {
  const { entries } = node;
  if (entries.has('when') || entries.has('do')) return parseWhenDo(node, context);
  const [entry, second] = entries.values();
  if (!entry || second) {
    const fix = 'An entry has one key, or when: and do:. Put a rule with a colon into quotes.';
    throw fault(second?.key ?? node.source, 'The entry does not have exactly one key', fix);
  }
  const name = trimWhiteSpace(entry.key.text);
  if (Object.hasOwn(REFUSED_STEPS, name)) throw fault(entry.key, `${name} is not supported`, REFUSED_STEPS[name] ?? '');
  if (name === 'sequential') return always(entry.key, [parseSequential(entry, context)], context);
  const isDialect = DIALECTS.has(trimWhiteSpace(name.split('(')[0] ?? ''));
  if (entry.value.kind === 'list' && !isDialect) return parseListForm(entry, entry.value, context);
  return parseDecision(entry, context);
}

function parseWhenDo({ source, entries }: MapNode, context: StepContext): Entry {
  for (const [name, { key }] of entries) {
    if (!['when', 'do', 'id'].includes(name))
      throw fault(key, 'Unknown key of a rule', 'The keys are when, do and id.');
  }
  const [when, effects] = [entries.get('when')?.value, entries.get('do')?.value];
  if (!when || !effects) throw fault(source, 'A rule needs both when: and do:', 'Add the other key.');
  if (when.kind !== 'text') throw fault(when.source, `when: is ${kindOfNode(when)}`, 'Write a predicate as a string.');
  const predicate = parsePredicate(when.source);
  checkAttributes(predicate, context);
  const steps = effects.kind === 'list' ? parseEffects(effects, context) : [parseEffect(effects, context)];
  return { kind: 'rule', rule: context.rule, source: predicate.source, when: predicate, effects: steps };
}

function parseListForm({ key }: MapEntry, list: ListNode, context: StepContext): Entry {
  const predicate = parsePredicate(key);
  checkAttributes(predicate, context);
  return {
    kind: 'rule',
    rule: context.rule,
    source: predicate.source,
    when: predicate,
    effects: parseEffects(list, context),
  };
}

function parseEffects(list: ListNode, context: StepContext): Effect[] {
  if (list.items.length === 0) throw fault(list.source, 'The list of effects is empty', 'Write at least one effect.');
  return list.items.map((item) => parseEffect(item, context));
}

function parseEffect(node: DocumentNode, context: StepContext): Effect {
  if (node.kind === 'text') return parseEffectText(node.source, context);
  const [entry, second] = node.kind === 'map' ? node.entries.values() : [];
  const name = trimWhiteSpace(entry?.key.text ?? '');
  if (entry && !second && name === 'sequential') return parseSequential(entry, context);
  if (entry && Object.hasOwn(REFUSED_STEPS, name)) {
    throw fault(entry.key, `${name} is not supported`, REFUSED_STEPS[name] ?? '');
  }
  const fix =
    'An effect is a string, or sequential: with a list. Put rules and decision points into entries of their own.';
  throw fault(entry?.key ?? node.source, `An effect cannot be ${entry ? 'this map' : kindOfNode(node)}`, fix);
}

function parseSequential({ key, value }: MapEntry, context: StepContext): Effect {
  if (value.kind !== 'list') throw fault(key, 'sequential: has no list', 'Write sequential: [taint(a), deny].');
  return { kind: 'sequential', effects: parseEffects(value, context) };
}

function always(source: SourceText, effects: readonly Effect[], { rule }: StepContext): Entry {
  return { kind: 'rule', rule, source, when: undefined, effects };
}

function parseDecision({ key, value }: MapEntry, context: StepContext): DecisionStep {
  const { text } = key;
  const [open, close] = [text.indexOf('('), text.lastIndexOf(')')];
  if (open >= 0 && close < open) throw fault(key, 'The parenthesis is not closed', 'Close it.');
  const dialect = trimWhiteSpace(open < 0 ? text : text.slice(0, open));
  if (value.kind !== 'map') {
    const fix = `Put a rule with a colon into quotes: - ${JSON.stringify(`${text}: deny`)}. A decision point has a map.`;
    throw fault(key, `The value of this key is ${kindOfNode(value)}`, fix);
  }
  knownDialect(key, dialect, context);
  const members = [...value.entries].filter(([name]) => name !== 'on_allow' && name !== 'on_deny');
  const [unused] = members;
  if (open >= 0 && unused && context.strict) {
    throw fault(
      unused[1].key,
      'The decision point ignores this key',
      'With parentheses only on_allow and on_deny have an effect.',
    );
  }
  const reaction = members.find(([name]) => /^on(?:[_-]|(?:allow|deny)$)/i.test(name));
  if (reaction && context.strict) {
    throw fault(reaction[1].key, 'Unknown reaction of a decision point', 'Write on_allow or on_deny.');
  }
  const given = Object.fromEntries(members.map(([name, member]) => [name, plainValue(member.value)]));
  return {
    kind: 'decision',
    rule: context.rule,
    source: trimmed(key),
    dialect,
    arguments: open < 0 ? given : trimWhiteSpace(text.slice(open + 1, close)),
    onAllow: parseReactions(value, 'on_allow', context),
    onDeny: parseReactions(value, 'on_deny', context),
  };
}

function parseReactions({ entries }: MapNode, name: 'on_allow' | 'on_deny', context: StepContext): Entry[] {
  const entry = entries.get(name);
  if (!entry) return [];
  if (entry.value.kind !== 'list') throw fault(entry.key, `${name}: has no list`, `Write ${name}: [deny].`);
  return entry.value.items.map((item, index) =>
    parseEntry(item, { ...context, rule: `${context.rule}.${name}[${index}]` }),
  );
}
