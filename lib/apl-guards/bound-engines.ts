import type { Attributes, AttributeValue } from '../apl/attributes.js';
import type { LanguageOptions } from '../apl/language-options.js';
import type { AplSettings, RuleInput } from './apl-options.js';

/** Leads from the attributes of an evaluation to its request. Copies of the attributes keep it. */
const kInput = Symbol('express-apl-session.rule-input');
type BoundAttributes = Attributes & { readonly [kInput]?: RuleInput };

/** Attributes for one evaluation. Plugins and decision points that it calls receive `input`. */
export function boundTo(input: RuleInput, attributes: Readonly<Record<string, AttributeValue>>): Attributes {
  return Object.assign(attributes, { [kInput]: input });
}

/** The options of the language. The functions of the app also receive the request for which they are called. */
export function languageOptionsOf(settings: AplSettings): Omit<LanguageOptions, 'strict'> {
  const { plugins = {}, decisionPoints = {}, absent, file, attributeNames = [] } = settings;
  return {
    plugins: bound(plugins),
    decisionPoints: bound(decisionPoints),
    attributes: [...attributeNames, 'http.response_status'],
    ...(absent !== undefined && { absent }),
    ...(file !== undefined && { file }),
  };
}

type Engine<Call, Answer> = (call: Call, attributes: Attributes, input: RuleInput) => Answer;

function bound<Call, Answer>(
  engines: Readonly<Record<string, Engine<Call, Answer>>>,
): Record<string, (call: Call, attributes: Attributes) => Answer> {
  return Object.fromEntries(
    Object.entries(engines).map(([name, engine]) => [
      name,
      (call: Call, attributes: Attributes) =>
        engine(call, attributes, (attributes as BoundAttributes)[kInput] as RuleInput),
    ]),
  );
}
