import type { SectionRules } from '../apl/section-source.js';
import type { Stage } from '../apl/stages.js';
import type { Effect, Entry } from '../apl/steps.js';

/** The places of the chains and rules that change arguments. Plugins can change them too, which shows only when they answer. */
export function argumentChanges({ args, preInvocation }: SectionRules): string[] {
  return [
    ...args.filter(({ stages }) => stages.some(changes)).map(({ rule }) => rule),
    ...preInvocation.filter((entry) => effectsOf(entry).some(changesArgument)).map(({ rule }) => rule),
  ];
}

/** Whether a rule or a chain calls a plugin or a decision point. */
export function callsEngines({ args, preInvocation, result, postInvocation }: SectionRules): boolean {
  const entries = [...preInvocation, ...postInvocation];
  return (
    [...args, ...result].some(({ stages }) => stages.some(isPlugin)) ||
    entries.some((entry) => entry.kind === 'decision' || effectsOf(entry).some(callsPlugin))
  );
}

function effectsOf(entry: Entry): readonly Effect[] {
  return entry.kind === 'rule' ? entry.effects : [...entry.onAllow, ...entry.onDeny].flatMap(effectsOf);
}

function changesArgument(effect: Effect): boolean {
  if (effect.kind === 'sequential') return effect.effects.some(changesArgument);
  return effect.kind === 'field' && effect.side === 'args' && effect.stages.some(changes);
}

function callsPlugin(effect: Effect): boolean {
  if (effect.kind === 'sequential') return effect.effects.some(callsPlugin);
  return isPlugin(effect) || (effect.kind === 'field' && effect.stages.some(isPlugin));
}

function changes({ kind }: Stage): boolean {
  return kind === 'mask' || kind === 'redact' || kind === 'omit';
}

function isPlugin({ kind }: Stage | Effect): boolean {
  return kind === 'plugin';
}
