import type { MaybePromise } from '../util/maybe-promise.js';
import { applyChain, type ChainOutcome } from './apply-chain.js';
import { checkAttributes } from './attribute-names.js';
import { type Attributes, assertAttributes } from './attributes.js';
import { kindOfNode, type MapNode } from './document-node.js';
import type { DecisionPoint, Plugin } from './engines.js';
import { holds } from './evaluate-predicate.js';
import { parsePredicate } from './expression.js';
import {
  type LanguageOptions,
  languageContext,
  parseChainOptions,
  parseSectionOptions,
  parseTextOptions,
  type SectionOptions,
  type TextOptions,
} from './language-options.js';
import { readDocument } from './read-document.js';
import { type AsyncSection, type Section, sectionOf } from './section.js';
import { mergedRules, parseSection, type SectionRules } from './section-source.js';
import { settle } from './settle.js';
import { fault, sourceText } from './source-text.js';
import { parseChain } from './stages.js';
import { textArgument } from './text-argument.js';

/** Options without functions of the app, so that no answer can be a promise. */
export interface SyncOptions {
  readonly plugins?: never;
  readonly decisionPoints?: never;
}

/** Options with functions of the app, which may answer with promises. */
export type AsyncOptions =
  | { readonly plugins: Readonly<Record<string, Plugin>> }
  | { readonly decisionPoints: Readonly<Record<string, DecisionPoint>> };

/** A compiled chain of stages for a field. */
export interface Chain<Answer = ChainOutcome> {
  /** Applies the stages to a value of JSON, which is not changed. The predicates of `redact(…)` read the attributes. */
  apply(value: unknown, attributes?: Attributes): Answer;
}

/**
 * Compiles a predicate. Without options it means exactly what it means in CPEX.
 *
 * @example
 * const isTainted = compilePredicate('security.labels contains "secret" & !role.admin');
 * isTainted({ 'security.labels': new Set(['secret']) }); // true
 *
 * @throws PolicyDocumentError `policy.invalid_document`
 * @throws AplSessionError `config.invalid` for wrong options; the function throws `policy.error` for attributes of a wrong type
 */
export function compilePredicate(source: string, options?: TextOptions): (attributes: Attributes) => boolean {
  const { file, ...others } = parseTextOptions('compilePredicate', options);
  const predicate = parsePredicate(sourceText(textArgument('compilePredicate', source), file));
  checkAttributes(predicate, languageContext(others));
  return (attributes) => {
    assertAttributes(attributes);
    return holds(predicate.expression, attributes);
  };
}

/**
 * Compiles a chain of stages for one field. Without options it means exactly what it means in CPEX.
 *
 * @example
 * compileChain('str | mask(4)').apply('123-45-6789'); // { outcome: 'replace', value: '*******6789', taints: [] }
 *
 * @throws PolicyDocumentError `policy.invalid_document`
 * @throws AplSessionError `config.invalid` for wrong options
 */
// the overload with functions comes first, because only the first one types what they return
export function compileChain(
  source: string,
  options: LanguageOptions & AsyncOptions,
): Chain<MaybePromise<ChainOutcome>>;
export function compileChain(source: string, options?: LanguageOptions & SyncOptions): Chain;
export function compileChain(source: string, options: LanguageOptions): Chain<MaybePromise<ChainOutcome>>;
export function compileChain(source: string, options?: LanguageOptions): Chain<MaybePromise<ChainOutcome>> {
  const { file, ...others } = parseChainOptions('compileChain', options);
  const context = languageContext(others);
  const stages = parseChain(sourceText(textArgument('compileChain', source), file), context);
  const { plugins, absent } = context;
  return Object.freeze({
    apply: (value: unknown, attributes: Attributes = {}) =>
      settle(applyChain(stages, value, { attributes, plugins, phase: 'pre', absent, path: '', hidesValues: false })),
  });
}

/**
 * Compiles one section: the keys `authorization`, `pre_invocation`, `post_invocation`, `args` and `result`. A list of sections
 * is merged, the least specific first. Without options it means exactly what it means in CPEX, also where CPEX ignores a
 * mistake; use `strict: true`, or {@link compileDocument} for the documents of an app.
 *
 * @param document text in YAML (with the package `yaml`) or JSON, or the object that such text stands for
 *
 * @example
 * const section = compileSection({
 *   pre_invocation: [`security.labels contains "secret": deny('session touched secret data', 'session_tainted')`],
 * });
 * section.evaluate({ 'security.labels': new Set(['secret']) }).decision; // 'deny'
 *
 * @throws PolicyDocumentError `policy.invalid_document`
 * @throws AplSessionError `config.invalid` for wrong options
 */
// the overload with functions comes first, because only the first one types what they return
export function compileSection(document: unknown, options: SectionOptions & AsyncOptions): AsyncSection;
export function compileSection(document: unknown, options?: SectionOptions & SyncOptions): Section;
export function compileSection(document: unknown, options: SectionOptions): AsyncSection;
export function compileSection(document: unknown, options?: SectionOptions): AsyncSection | Section {
  const { file, name = 'global.apl', ...others } = parseSectionOptions('compileSection', options);
  const context = languageContext(others);
  const node = readDocument(document, file);
  const layers = node.kind === 'list' ? node.items : [node];
  const rules = layers.map((layer, index): SectionRules => {
    // CPEX reads an empty document as a section without rules
    if (layer.kind === 'scalar' && layer.value === null && !context.strict) return mergedRules([]);
    if (layer.kind !== 'map') {
      throw fault(
        layer.source,
        `A section is ${kindOfNode(layer)}`,
        'Write a map with authorization:, args: or result:.',
      );
    }
    refuseDocument(layer);
    return parseSection(layer, node.kind === 'list' ? `layer${index}` : name, [], context);
  });
  return sectionOf(mergedRules(rules), context, false);
}

/** A whole document would be read as a section without rules. */
function refuseDocument({ entries }: MapNode): void {
  for (const name of ['global', 'routes', 'groups']) {
    const entry = entries.get(name);
    if (entry) throw fault(entry.key, 'This is a document, and not a section', 'Compile it with compileDocument().');
  }
}
