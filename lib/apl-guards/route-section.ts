import { parseResponse } from '../apl/deny-response.js';
import { type DocumentNode, kindOfNode, type MapNode } from '../apl/document-node.js';
import { languageContext } from '../apl/language-options.js';
import { readDocument } from '../apl/read-document.js';
import { parseSection } from '../apl/section-source.js';
import { fault } from '../apl/source-text.js';
import type { AplSettings } from './apl-options.js';
import { languageOptionsOf } from './bound-engines.js';
import { type RequestSection, requestSection } from './request-section.js';

/** The start of the codes of its denials, as in the document of CPEX that has only these rules. */
const KEY = 'global.apl';

/**
 * Compiles the rules of one guard: a list of rules for `pre_invocation`, or a section.
 * @throws PolicyDocumentError; AplSessionError `config.invalid`
 */
export function routeSection(rules: unknown, settings: AplSettings): RequestSection {
  const { file, ...language } = languageOptionsOf(settings);
  const context = languageContext(language, true);
  const node = sectionNode(readDocument(rules, file));
  const parsed = parseSection(node, KEY, ['response'], context);
  return requestSection(KEY, parsed, parseResponse(node, context), context, settings);
}

function sectionNode(node: DocumentNode): MapNode {
  if (node.kind === 'list') {
    return {
      kind: 'map',
      source: node.source,
      entries: new Map([['pre_invocation', { key: node.source, value: node }]]),
    };
  }
  if (node.kind !== 'map') {
    throw fault(node.source, `The rules are ${kindOfNode(node)}`, 'Write a list of rules, or a section.');
  }
  for (const name of ['global', 'routes', 'groups']) {
    const entry = node.entries.get(name);
    if (entry) throw fault(entry.key, 'This is a document, and not a section', 'Use aplPolicies(document).');
  }
  return node;
}
