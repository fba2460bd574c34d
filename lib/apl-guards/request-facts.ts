import type { Request } from 'express';
import { fits, wrongType } from '../apl/attribute-types.js';
import type { AttributeValue } from '../apl/attributes.js';
import { AplSessionError } from '../contract/errors.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { optionalClaimText } from '../session/accessor-value.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import type { AplSettings } from './apl-options.js';
import type { ReadNames } from './read-names.js';

/** Attributes while they are collected. */
export type Facts = Record<string, AttributeValue>;

/** The attributes of the HTTP request itself. */
export function addHttp(facts: Facts, req: Request, reads: ReadNames, { hosts }: AplSettings): void {
  facts['http.method'] = req.method;
  facts['http.path'] = pathOf(req);
  if (reads.has('http.scheme')) facts['http.scheme'] = req.protocol;
  if (hosts && reads.has('http.host')) facts['http.host'] = hostOf(req, hosts);
  const headers = reads.below('http.request_headers.');
  for (const name of headers === 'all' ? Object.keys(req.headers) : headers) {
    const value = Object.hasOwn(req.headers, name) ? req.headers[name] : undefined;
    if (value !== undefined) facts[`http.request_headers.${name}`] = Array.isArray(value) ? value.join(', ') : value;
  }
}

/** As the client has sent it, without the query. Express decodes nothing when it chooses a route, either. */
function pathOf({ originalUrl }: Request): string {
  const [path = ''] = originalUrl.split(/[?#]/, 1);
  return path.startsWith('/') ? path : (/^[a-z][\w+.-]*:\/\/[^/]*(\/.*)?$/i.exec(path)?.[1] ?? '/');
}

/** A name that the app does not have could make a rule on the host not apply. */
function hostOf({ hostname }: Request, hosts: readonly string[]): string {
  const host = (hostname ?? '').toLowerCase();
  if (hosts.includes(host)) return host;
  throw new AplSessionError('policy.error', "The host of the request is not in the option 'hosts'.");
}

/** Adds what the app knows about the subject. Calls only the functions whose attributes are read. */
export function addSubject(
  facts: Facts,
  req: Request,
  reads: ReadNames,
  { subject, roles, permissions, teams, claims, attributes, attributeNames = [] }: AplSettings,
): MaybePromise<void> {
  const names = (accessor: AplSettings['roles'], option: string, prefix: string) => () =>
    whenSettled(accessor?.(req), (found) => {
      const list = namesIn(found, option);
      for (const name of list) facts[prefix + name] = true;
      if (prefix === 'team.' && list.length > 0) facts['subject.teams'] = new Set(list);
    });
  const steps: Array<() => MaybePromise<void>> = [];
  if (subject && (reads.has('subject.id') || reads.has('authenticated'))) {
    steps.push(() => whenSettled(subject(req), (id) => addId(facts, id)));
  }
  if (roles && reads.hasBelow('role.')) steps.push(names(roles, 'roles', 'role.'));
  if (permissions && reads.hasBelow('perm.')) steps.push(names(permissions, 'permissions', 'perm.'));
  if (teams && (reads.hasBelow('team.') || reads.has('subject.teams'))) steps.push(names(teams, 'teams', 'team.'));
  if (claims && reads.hasBelow('claim.')) {
    steps.push(() => whenSettled(claims(req), (found) => addClaims(facts, found, reads)));
  }
  if (
    attributes &&
    (SUBJECT.some((pattern) => isRead(reads, pattern)) || attributeNames.some((p) => isRead(reads, p)))
  ) {
    steps.push(() => whenSettled(attributes(req), (found) => addOwn(facts, found, attributeNames)));
  }
  return steps.reduce<MaybePromise<void>>((earlier, step) => whenSettled(earlier, step), undefined);
}

const SUBJECT = ['authenticated', 'subject.*', 'role.*', 'perm.*', 'team.*', 'claim.*'];

function isRead(reads: ReadNames, pattern: string): boolean {
  return pattern.endsWith('.*') ? reads.hasBelow(pattern.slice(0, -1)) : reads.has(pattern);
}

function addId(facts: Facts, id: unknown): void {
  if (id === undefined || id === null || id === '') return;
  if (typeof id !== 'string') throw wrong('subject', 'a string, undefined or null', id);
  facts['subject.id'] = id;
  facts['authenticated'] = true;
}

function namesIn(found: unknown, option: string): string[] {
  if (found === undefined || found === null) return [];
  const list: unknown[] | undefined = Array.isArray(found) || found instanceof Set ? [...found] : undefined;
  if (list?.every((name) => typeof name === 'string')) return list as string[];
  throw wrong(option, 'an array or Set of strings, undefined or null', found);
}

function addClaims(facts: Facts, found: unknown, reads: ReadNames): void {
  const claims = membersOf(found, 'claims');
  const names = reads.below('claim.');
  for (const name of names === 'all' ? Object.keys(claims) : names) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    const text = typeof value === 'string' ? value : optionalClaimText(value);
    if (text !== undefined) facts[`claim.${name}`] = text;
  }
}

function addOwn(facts: Facts, found: unknown, declared: readonly string[]): void {
  for (const [name, value] of Object.entries(membersOf(found, 'attributes'))) {
    if (value === undefined) continue;
    const isOwn = declared.some((pattern) => fits(name, pattern));
    // a misspelt name would leave the attribute absent, and a rule on it would not apply
    if (!isOwn && !SUBJECT.some((pattern) => fits(name, pattern))) {
      throw new AplSessionError(
        'policy.error',
        `The option 'attributes' has returned an attribute that is neither one of the subject nor listed in 'attributeNames': ${JSON.stringify(name.slice(0, 64))}.`,
      );
    }
    // a rule that compares another type would not apply, either
    const wrong = isOwn ? undefined : wrongType(name, value);
    if (wrong !== undefined) {
      throw new AplSessionError(
        'policy.error',
        `The option 'attributes' has returned an attribute of another type: ${wrong.slice(0, 128)}.`,
      );
    }
    facts[name] = value as AttributeValue;
  }
}

function membersOf(found: unknown, option: string): Readonly<Record<string, unknown>> {
  if (found === undefined || found === null) return {};
  if (typeof found === 'object' && !Array.isArray(found)) return found as Record<string, unknown>;
  throw wrong(option, 'an object, undefined or null', found);
}

function wrong(option: string, expected: string, found: unknown): AplSessionError {
  return new AplSessionError(
    'policy.error',
    `The option '${option}' must return ${expected}; it returned ${kindOfValue(found)}.`,
  );
}

/** The attributes of the response. */
export function addResponse(
  facts: Facts,
  { status, headers }: { readonly status: number; readonly headers: ReadonlyMap<string, string> },
): void {
  facts['http.response_status'] = status;
  for (const [name, value] of headers) facts[`http.response_headers.${name}`] = value;
}

/** Attributes that an alarm may show. */
const SHOWN: ReadonlySet<string> = new Set(['http.method', 'http.scheme', 'http.response_status', 'route.key']);

const DEEPEST = 20;

/** All texts in attributes and in other values. */
export function textsOf(facts: Facts, values: readonly unknown[]): string[] {
  const texts: string[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (typeof value === 'string') texts.push(value);
    else if (value instanceof Set) texts.push(...value);
    else if (typeof value === 'object' && value !== null && depth < DEEPEST) {
      for (const member of Object.values(value)) visit(member, depth + 1);
    }
  };
  for (const [name, value] of Object.entries(facts)) if (!SHOWN.has(name)) visit(value, 0);
  visit(values, 0);
  return texts;
}
