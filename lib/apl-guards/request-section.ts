import type { DenyResponse } from '../apl/deny-response.js';
import type { LanguageContext } from '../apl/language-context.js';
import { type AsyncSection, sectionOf } from '../apl/section.js';
import type { SectionRules } from '../apl/section-source.js';
import { type DenialRenderer, FRAMING, fixedDenial } from '../denial/denial.js';
import { invalidConfig } from '../options/invalid-config.js';
import type { AplSettings } from './apl-options.js';
import { ALL_NAMES, type ReadNames, readNames } from './read-names.js';
import { argumentChanges, callsEngines } from './rule-effects.js';

/** A section, prepared for requests. */
export interface RequestSection {
  /** The attribute `route.key`. */
  readonly key: string;
  readonly section: AsyncSection;
  /** The attributes that its rules read. */
  readonly reads: readonly string[];
  /** Renders its denials; `undefined` without a `response:`. */
  readonly denial: DenialRenderer | undefined;
  /** What each phase reads. */
  readonly pre: ReadNames;
  readonly post: ReadNames;
  /** Whether a rule reads the labels. */
  readonly readsLabels: boolean;
  /** Whether something runs, or must be read, before the handler. */
  readonly hasPre: boolean;
  readonly hasPost: boolean;
  /** Whether a chain or a rule of the post phase needs the body of the response. */
  readonly needsResult: boolean;
}

/**
 * @throws AplSessionError `config.invalid` if no option sets an attribute that a rule reads, for a chain that changes arguments
 * without `transformArgs`, or for headers that frame a body
 */
export function requestSection(
  key: string,
  rules: SectionRules,
  response: DenyResponse | undefined,
  context: LanguageContext,
  settings: AplSettings,
): RequestSection {
  const section = sectionOf(rules, context, true);
  const { args, preInvocation, result, postInvocation } = section.parts;
  const reads = [args, preInvocation, result, postInvocation].flatMap((part) => part.reads);
  assertProvided(key, readNames(reads), settings);
  if (!settings.transformArgs) refuseChanges(argumentChanges(rules), settings);
  const isOpen = callsEngines(rules);
  const names = (list: readonly string[]) => (isOpen ? ALL_NAMES : readNames(list));
  return {
    key,
    section,
    reads,
    denial: response && denialOf(key, response, settings),
    pre: names([...args.reads, ...preInvocation.reads]),
    post: names([...result.reads, ...postInvocation.reads]),
    readsLabels: readNames(reads).has('security.labels'),
    hasPre: !args.isEmpty || !preInvocation.isEmpty || names(postInvocation.reads).hasBelow('args.'),
    hasPost: !result.isEmpty || !postInvocation.isEmpty,
    needsResult: !result.isEmpty || readNames(postInvocation.reads).hasBelow('result.'),
  };
}

const PROVIDERS: ReadonlyArray<readonly [prefix: string, options: ReadonlyArray<keyof AplSettings>]> = [
  ['subject.', ['subject', 'teams', 'attributes']],
  ['role.', ['roles', 'attributes']],
  ['perm.', ['permissions', 'attributes']],
  ['team.', ['teams', 'attributes']],
  ['claim.', ['claims', 'attributes']],
];

/** A rule on an attribute that no request has would never apply. */
function assertProvided(key: string, reads: ReadNames, settings: AplSettings): void {
  const missing = (what: string, options: readonly string[]) =>
    invalidConfig(
      settings.name,
      `the rules of ${key} read ${what}, but nothing sets it. Pass the option ${options.map((option) => `'${option}'`).join(' or ')}`,
    );
  const has = (options: ReadonlyArray<keyof AplSettings>) => options.some((option) => settings[option] !== undefined);
  for (const [prefix, options] of PROVIDERS) {
    if (reads.hasBelow(prefix) && !has(options)) throw missing(`${prefix}*`, options);
  }
  for (const [name, options] of [
    ['authenticated', ['subject', 'attributes']],
    ['subject.id', ['subject', 'attributes']],
    ['subject.teams', ['teams', 'attributes']],
    ['subject.type', ['attributes']],
    ['http.host', ['hosts']],
  ] as const) {
    if (reads.has(name) && !has(options)) throw missing(name, options);
  }
}

function refuseChanges([first]: readonly string[], { name }: AplSettings): void {
  if (first === undefined) return;
  throw invalidConfig(
    name,
    `${first} changes an argument of the request. Set transformArgs: true if the handler may get the changed value, or use only stages that check`,
  );
}

function denialOf(key: string, { status = 403, body, headers = {} }: DenyResponse, { name }: AplSettings) {
  const framing = Object.keys(headers).find((header) => FRAMING.test(header));
  if (framing !== undefined) {
    throw invalidConfig(name, `the response of ${key} must not set ${framing}; Node frames the body itself`);
  }
  return fixedDenial({ status, headers, text: body, type: 'text/plain; charset=utf-8' });
}
