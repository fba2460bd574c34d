import { AplSessionError } from '../contract/errors.js';

/** A place in a text, counted from 1. Columns are UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A fault in a document, and its place. */
export interface DocumentFault {
  readonly problem: string;
  readonly fix: string;
  /** The text that is wrong; empty if something is missing. */
  readonly offending: string;
  readonly file: string | undefined;
  readonly path: string;
  readonly position: Position | undefined;
}

const LONGEST_EXCERPT = 120;

/**
 * A policy document, a predicate or a chain is not valid. The code is `policy.invalid_document`. The message holds the place,
 * the text of the rule and the fix. It never holds a value of an attribute.
 *
 * @example
 * try {
 *   compileDocument(text, { file: 'policies.yaml' });
 * } catch (error) {
 *   if (error instanceof PolicyDocumentError) console.error(error.position?.line, error.fix);
 * }
 */
export class PolicyDocumentError extends AplSessionError {
  /** The name of the file, if it was given with the option `file`. */
  readonly file: string | undefined;
  /** The place in the document, for example `routes[0].authorization.pre_invocation[2]`; empty for a text on its own. */
  readonly path: string;
  /** Line and column; `undefined` for a document that was given as an object. */
  readonly position: Position | undefined;
  /** The text that is wrong. */
  readonly offending: string;
  /** How to correct it, in one sentence. */
  readonly fix: string;

  constructor({ problem, fix, offending, file, path, position }: DocumentFault, options?: ErrorOptions) {
    const where = [file, position?.line, position?.column].filter((part) => part !== undefined).join(':');
    const place = [where, path && (where ? `(${path})` : path)].filter(Boolean).join(' ');
    const excerpt = offending.length > LONGEST_EXCERPT ? `${offending.slice(0, LONGEST_EXCERPT)}…` : offending;
    const quoted = excerpt === '' ? '' : `: ${JSON.stringify(excerpt)}`;
    super('policy.invalid_document', `${place ? `${place}: ` : ''}${problem}${quoted}. ${fix}`, options);
    this.file = file;
    this.path = path;
    this.position = position;
    this.offending = offending;
    this.fix = fix;
  }
}
