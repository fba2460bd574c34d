import type { MaybePromise } from '../util/maybe-promise.js';
import type { Attributes } from './attributes.js';
import type { RuleDecision } from './decision.js';
import type { AsyncPolicyDocument, PolicyDocument } from './document.js';
import type { Section, SectionInput } from './section.js';
import { type AnySection, sectionOfDocument } from './section-of-document.js';
import type { TraceEvent } from './trace.js';

/** How a section has decided. */
export interface Explanation {
  readonly decision: RuleDecision;
  /** In the order in which they ran. Rules after a denial did not run. */
  readonly rules: readonly TraceEvent[];
  /** The same for people, one line for each rule and condition. */
  readonly text: string;
}

/**
 * Evaluates a section, and tells which rules ran and which conditions held. The text holds parts of the document and the
 * names of attributes, never their values.
 *
 * @param document a section; a document, of which the attribute `route.key` (`tool:send_mail`) chooses the section, by default
 * `global`; or the text or the object of one of these, which is compiled without options
 *
 * @example
 * console.log(explain(compileSection({ pre_invocation: ['!role.hr: deny'] }), { 'role.it': true }).text);
 * console.log(explain(readFileSync('policies.yaml', 'utf8'), { 'route.key': 'tool:send_mail' }).text);
 *
 * @throws PolicyDocumentError `policy.invalid_document` for a document with a mistake
 * @throws AplSessionError `config.invalid` for another value; `policy.error` for attributes of a wrong type
 */
export function explain(document: Section | PolicyDocument, attributes: Attributes, input?: SectionInput): Explanation;
export function explain(
  document: AnySection | AsyncPolicyDocument,
  attributes: Attributes,
  input?: SectionInput,
): MaybePromise<Explanation>;
export function explain(document: string | object, attributes: Attributes, input?: SectionInput): Explanation;
export function explain(
  document: string | object,
  attributes: Attributes,
  input: SectionInput = {},
): MaybePromise<Explanation> {
  const section = sectionOfDocument(document, attributes);
  const rules: TraceEvent[] = [];
  const trace = (event: TraceEvent) => {
    rules.push(event);
    input.trace?.(event);
  };
  const decision = section.decide(attributes, { ...input, trace });
  const explanation = (made: RuleDecision) => ({ decision: made, rules, text: textOf(made, rules) });
  return 'then' in decision ? Promise.resolve(decision).then(explanation) : explanation(decision);
}

function textOf(decision: RuleDecision, rules: readonly TraceEvent[]): string {
  const lines = rules.flatMap(({ rule, text, file, position, outcome, conditions }) => {
    const place = [file, position?.line, position?.column].filter((part) => part !== undefined).join(':');
    const head = `${rule}${place && ` (${place})`}: ${outcome}${text === undefined ? '' : `: ${text}`}`;
    return [head, ...conditions.map((condition) => `  ${condition.holds ? 'true ' : 'false'} ${condition.text}`)];
  });
  const taints = decision.taints.map(([label, scopes]) => `taint ${JSON.stringify(label)} (${scopes.join(', ')})`);
  const end = decision.decision === 'allow' ? 'allow' : `deny ${decision.code}: ${decision.reason}`;
  return [...lines, ...taints, end].join('\n');
}
