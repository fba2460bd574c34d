import type { DocumentNode } from './document-node.js';
import { readJson } from './read-json.js';
import { readObject } from './read-object.js';
import { readYaml } from './read-yaml.js';
import { fault, sourceText } from './source-text.js';

const LONGEST_DOCUMENT = 500_000;

/** Reads a document: text in YAML or JSON, or the object that such text stands for. */
export function readDocument(document: unknown, file: string | undefined): DocumentNode {
  if (typeof document !== 'string') return readObject(document, file);
  if (document.length > LONGEST_DOCUMENT) {
    const fix = 'Split it.';
    throw fault({ ...sourceText('', file) }, `The document has more than ${LONGEST_DOCUMENT} characters`, fix);
  }
  if (!/^[ \t\r\n]*[[{]/.test(document)) return readYaml(document, file);
  try {
    return readJson(document, file);
  } catch (jsonFault) {
    // a map of YAML may start with a brace as well
    try {
      return readYaml(document, file);
    } catch (yamlFault) {
      throw (yamlFault as Error).cause === undefined ? yamlFault : jsonFault;
    }
  }
}
