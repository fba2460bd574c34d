import type { SectionRules } from '../apl/section-source.js';
import type { Stage } from '../apl/stages.js';
import type { Effect, Entry } from '../apl/steps.js';

/** The places of the chains and rules that change arguments. Plugins can change them too, which shows only when they answer. */
export function argumentChanges({ args, preInvocation }: SectionRules): string[] {
  return [
    ...args.filter(({ stages }) => stages.some(changes)).map(({ rule }) => rule),
    ...preInvocation.flatMap(entryChanges),
  ];
}

function entryChanges(entry: Entry): string[] {
  if (entry.kind === 'decision') return [...entry.onAllow, ...entry.onDeny].flatMap(entryChanges);
  return entry.effects.some(effectChanges) ? [entry.rule] : [];
}

function effectChanges(effect: Effect): boolean {
  if (effect.kind === 'sequential') return effect.effects.some(effectChanges);
  return effect.kind === 'field' && effect.side === 'args' && effect.stages.some(changes);
}

function changes({ kind }: Stage): boolean {
  return kind === 'mask' || kind === 'redact' || kind === 'omit';
}
