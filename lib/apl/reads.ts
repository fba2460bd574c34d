import { attributesOf } from './attribute-names.js';
import type { FieldChain, Stage } from './stages.js';
import type { Effect, Entry } from './steps.js';

/** The attributes that chains or rules read, sorted, each once. */
export function readsOf(items: readonly (FieldChain | Entry)[], part: string): string[] {
  const names = items.flatMap((item) =>
    'stages' in item ? [`${part}.${item.path}`, ...stageReads(item.stages)] : entryReads(item),
  );
  return [...new Set(names)].sort();
}

/** Whether an effect of a rule changes or checks a field of a side. */
export function changesFields(entries: readonly Entry[]): boolean {
  return entries.some((entry) =>
    entry.kind === 'rule' ? entry.effects.some(isFieldEffect) : changesFields([...entry.onAllow, ...entry.onDeny]),
  );
}

function isFieldEffect(effect: Effect): boolean {
  return effect.kind === 'field' || (effect.kind === 'sequential' && effect.effects.some(isFieldEffect));
}

function entryReads(entry: Entry): string[] {
  if (entry.kind === 'decision') return [...entry.onAllow, ...entry.onDeny].flatMap(entryReads);
  return [...(entry.when ? attributesOf(entry.when.expression) : []), ...entry.effects.flatMap(effectReads)];
}

function effectReads(effect: Effect): string[] {
  if (effect.kind === 'sequential') return effect.effects.flatMap(effectReads);
  return effect.kind === 'field' ? [`${effect.side}.${effect.path}`, ...stageReads(effect.stages)] : [];
}

function stageReads(stages: readonly Stage[]): string[] {
  return stages.flatMap((stage) => (stage.kind === 'redact' && stage.when ? attributesOf(stage.when.expression) : []));
}
