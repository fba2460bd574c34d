import { nearestName } from '../options/nearest-name.js';
import type { LanguageContext } from './language-context.js';
import { fault, type SourceText } from './source-text.js';

/** @throws PolicyDocumentError in strict mode, if the app has no function of this name */
export function knownPlugin(source: SourceText, name: string, { strict, plugins }: LanguageContext): void {
  if (strict && !plugins.has(name)) throw unknown(source, 'plugin', 'plugins', name, [...plugins.keys()]);
}

/** @throws PolicyDocumentError in strict mode, if the app has no function for this dialect */
export function knownDialect(source: SourceText, dialect: string, context: LanguageContext): void {
  const { strict, decisionPoints } = context;
  if (strict && !decisionPoints.has(dialect)) {
    throw unknown(source, 'decision point', 'decisionPoints', dialect, [...decisionPoints.keys()]);
  }
}

function unknown(source: SourceText, what: string, option: string, name: string, known: readonly string[]): Error {
  const near = nearestName(name, known);
  const suggestion = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
  return fault(source, `Unknown ${what}`, `Pass a function: ${option}: { ${JSON.stringify(name)}: … }.${suggestion}`);
}
