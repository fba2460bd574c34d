import type { InstructionResult } from '../results.js';
import type { Summary } from '../statistics.js';

export function instructionsOf(results: readonly InstructionResult[], name: string): Summary | undefined {
  return results.find((result) => result.name === name)?.instructions;
}

/** What a scenario adds to bare Express, with the widest interval that the two intervals allow. */
export function addedInstructions(results: readonly InstructionResult[], name: string): Summary | undefined {
  const [own, bare] = [instructionsOf(results, name), instructionsOf(results, 'bare')];
  if (!own || !bare) return undefined;
  const [low, high] = [own.low - bare.high, own.high - bare.low];
  return { ...own, median: own.median - bare.median, low, high };
}
