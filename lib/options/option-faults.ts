import type { Description, ObjectSchema, ValidationErrorItem } from 'joi';
import { kindOfValue } from './kind-of-value.js';
import { nearestName } from './nearest-name.js';
import { valueFault, withoutImplied } from './value-faults.js';

/** What to write for an option, by its name; added to the message if its value is wrong. */
export type OptionHints = Readonly<Record<string, string>>;

/** Sentences about all faults that joi has found. They hold the names of options, and no value. */
export function optionFaults(
  details: readonly ValidationErrorItem[],
  schema: ObjectSchema,
  hints: OptionHints = {},
): string {
  const description = schema.describe();
  const unknown = details.filter(({ type }) => type === 'object.unknown');
  const suggestions = unknown.map(({ path }) => suggestionFor(path, description));
  const misspelt = unknown.map(({ path }, at) => unknownOption(path, suggestions[at], description));
  const others = withoutImplied(details)
    .filter(({ type }) => type !== 'object.unknown')
    // the misspelt option is the one that is missing
    .filter(({ type, path }) => !(type === 'any.required' && suggestions.includes(nameOf(path))))
    .map((detail) => `${faultOf(detail, description)}.${hintFor(detail, hints)}`);
  return [...misspelt, ...others].join(' ');
}

type Path = ValidationErrorItem['path'];

function nameOf(path: Path): string {
  return path.join('.');
}

/** The name of the nearest option on the same level. */
function suggestionFor(path: Path, description: Description): string | undefined {
  const near = nearestName(String(path.at(-1)), keysAt(description, path.slice(0, -1)));
  return near === undefined ? undefined : nameOf([...path.slice(0, -1), near]);
}

function unknownOption(path: Path, suggestion: string | undefined, description: Description): string {
  if (suggestion !== undefined) return `unknown option '${nameOf(path)}'; did you mean '${suggestion}'?`;
  const known = keysAt(description, path.slice(0, -1)).map((key) => `'${key}'`);
  return `unknown option '${nameOf(path)}'; the options are ${known.join(', ')}.`;
}

interface DescribedSchema extends Description {
  readonly keys?: Readonly<Record<string, Description>>;
  readonly matches?: ReadonlyArray<Readonly<Record<string, Description>>>;
}

/** The names of the options at a path, also if the value there may be of several types. */
function keysAt(description: DescribedSchema, path: Path): string[] {
  const alternatives = (description.matches ?? []).flatMap((match) => Object.values(match));
  const own = description.keys ?? {};
  const [first, ...rest] = path;
  const next = own[String(first)];
  const here = path.length === 0 ? Object.keys(own) : next ? keysAt(next, rest) : [];
  return [...here, ...alternatives.flatMap((alternative) => keysAt(alternative, path))];
}

function faultOf(detail: ValidationErrorItem, description: DescribedSchema): string {
  const { type, path } = detail;
  const given: unknown = detail.context?.['value'];
  if (path.length === 0 && /^(any\.required|object\.base)$/.test(type)) return optionsMissing(given, description);
  if (type === 'function.maxArity') {
    return `'${nameOf(path)}' must be a function of the request; got a function with ${(given as { length: number }).length} parameters, as Express middleware has`;
  }
  return valueFault(`'${detail.context?.label ?? nameOf(path)}'`, detail);
}

function optionsMissing(given: unknown, { keys = {} }: DescribedSchema): string {
  const required = Object.entries(keys).filter(
    ([, key]) => (key.flags as { presence?: string })?.presence === 'required',
  );
  const names = required.map(([name]) => `'${name}'`).join(' and ');
  return `'options' must be an object${names && ` with ${names}`}; got ${kindOfValue(given)}`;
}

function hintFor({ path }: ValidationErrorItem, hints: OptionHints): string {
  const hint = hints[nameOf(path)];
  return hint === undefined ? '' : ` ${hint}`;
}
