import Joi, { type PartialSchemaMap } from 'joi';
import { parseOptions } from '../options/parse-options.js';
import { KNOWN_ATTRIBUTES } from './attribute-names.js';
import type { DecisionPoint, Plugin } from './engines.js';
import type { LanguageContext } from './language-context.js';

/** Options of every function that compiles. */
export interface TextOptions {
  /**
   * Refuses what CPEX accepts without an effect: unknown keys and attributes, quotes in a label, chains in rule lines, unknown
   * plugins, `!=` on attributes that may be absent.
   * @default false, so that rules mean exactly what they mean in CPEX. `compileDocument()` is always strict.
   */
  readonly strict?: boolean;
  /**
   * Which attributes rules may read, besides the attributes that the guards of this package set. `data.*` stands for all keys below
   * `data.`. `'any'` accepts every name.
   * @default 'any' without `strict`, else only the attributes that the guards set
   */
  readonly attributes?: 'any' | readonly string[];
  /** The name of the file, for messages. */
  readonly file?: string;
}

/** Options of sections and documents. */
export interface LanguageOptions extends TextOptions {
  /**
   * With `'deny'`, a rule denies if it compares an absent attribute with `!=` or `not in`. Without it such a rule is refused in
   * strict mode, and means what it means in CPEX otherwise.
   */
  readonly absent?: 'deny';
  /** The functions that `plugin(name)` calls. */
  readonly plugins?: Readonly<Record<string, Plugin>>;
  /** The functions that decide steps such as `cel:` and `cedar:`, by their dialect. */
  readonly decisionPoints?: Readonly<Record<string, DecisionPoint>>;
}

export interface SectionOptions extends LanguageOptions {
  /**
   * The start of the codes of denials.
   * @default 'global.apl'
   */
  readonly name?: string;
}

const strict = { strict: Joi.boolean() };
const textOptions = {
  attributes: Joi.alternatives(
    Joi.valid('any'),
    Joi.array().items(Joi.string().pattern(/^[A-Za-z_][\w.]*(?:\.\*)?$/, 'a key, or a key that ends in .*')),
  ),
  file: Joi.string(),
};
const languageOptions = {
  ...textOptions,
  absent: Joi.valid('deny'),
  plugins: Joi.object().pattern(Joi.string(), Joi.function()),
  decisionPoints: Joi.object().pattern(Joi.string(), Joi.function()),
};

const textSchema = Joi.object<TextOptions>({ ...textOptions, ...strict });
const chainSchema = Joi.object<LanguageOptions>({ ...languageOptions, ...strict });
const sectionSchema = Joi.object<SectionOptions>({ ...languageOptions, ...strict, name: Joi.string() });

export function parseTextOptions(what: string, options: TextOptions = {}): Readonly<TextOptions> {
  return parseOptions(what, textSchema, options);
}

export function parseChainOptions(what: string, options: LanguageOptions = {}): Readonly<LanguageOptions> {
  return parseOptions(what, chainSchema, options);
}

export function parseSectionOptions(what: string, options: SectionOptions = {}): Readonly<SectionOptions> {
  return parseOptions(what, sectionSchema, options);
}

/** The schema of the options that documents have in common with sections. */
export const documentOptions: PartialSchemaMap = languageOptions;

/** The options in the form that the parser needs. */
export function languageContext(options: LanguageOptions, strict = options.strict ?? false): LanguageContext {
  const { attributes = strict ? [] : 'any', absent, plugins = {}, decisionPoints = {} } = options;
  return {
    strict,
    attributes: attributes === 'any' ? undefined : [...KNOWN_ATTRIBUTES, ...attributes],
    declared: attributes === 'any' ? [] : attributes.filter((name) => name !== 'http.response_status'),
    absent,
    plugins: new Map(Object.entries(plugins)),
    decisionPoints: new Map(Object.entries(decisionPoints)),
  };
}
