import type { Request } from 'express';
import Joi, { type SchemaMap } from 'joi';
import { kindOfValue } from '../options/kind-of-value.js';
import { malformed } from './accessor-value.js';
import type { SubjectSessionOptions } from './subject-session.js';

export interface TokenSessionOptions {
  /**
   * The issuers whose tokens the app accepts. A token without an issuer, or with another one, is the error `session.invalid`.
   * A string: the subject is the `sub` claim alone, as in CPEX. A list: the subject is issuer and `sub` together, because two
   * issuers may use the same `sub`. `null`: the tokens have no issuer, and a token with one is the error `session.invalid`.
   */
  readonly issuer: string | readonly string[] | null;

  /**
   * The claim that names the subject.
   * @default 'sub'
   */
  readonly subjectClaim?: string;

  /**
   * The claim that names the session, for the tier `token_claim`.
   * @default 'session_id'
   */
  readonly sessionClaim?: string;
}

/** The options of `subjectSession` that a token can fill; spread them into the others. */
export type TokenAccessors = Required<Pick<SubjectSessionOptions, 'subject' | 'claim'>>;

export type Members = Readonly<Record<string, unknown>>;

export const tokenSessionOptions: SchemaMap = {
  issuer: Joi.alternatives(Joi.string(), Joi.array().items(Joi.string()).min(1), Joi.valid(null)).required(),
  subjectClaim: Joi.string().default('sub'),
  sessionClaim: Joi.string().default('session_id'),
};

/** Where another middleware puts the claims that it has verified. */
interface VerifiedClaims {
  /** The place in words, for example `req.auth`. */
  readonly source: string;
  /** Returns `undefined` if the request is not authenticated. */
  readonly claimsOf: (req: Request) => Members | undefined;
}

/** Accessors for claims that another middleware has verified. */
export function tokenAccessors(
  { issuer, subjectClaim, sessionClaim }: Required<TokenSessionOptions>,
  { source, claimsOf }: VerifiedClaims,
): TokenAccessors {
  const accepted = new Set(typeof issuer === 'string' ? [issuer] : issuer);
  const subjectOf = (claims: Members): string => {
    const subject = textMember(claims, subjectClaim);
    if (issuer === null) {
      if (!Object.hasOwn(claims, 'iss')) return subject;
      throw malformed("the token has an issuer; list the issuers that the app accepts in 'issuer'");
    }
    const iss = textMember(claims, 'iss');
    if (!accepted.has(iss)) throw malformed("the issuer of the token is not in 'issuer'");
    // JSON, because two pairs of issuer and subject must never become the same text, also not when keying adds a colon
    return typeof issuer === 'string' ? subject : JSON.stringify([iss, subject]);
  };
  const subject = (req: Request): string | undefined => {
    const claims = claimsOf(req);
    return claims && subjectOf(claims);
  };
  return {
    subject: Object.assign(subject, { explain: () => `no ${source}` }),
    claim: (req) => {
      const claims = claimsOf(req);
      // the subject came from another accessor
      if (!claims)
        throw malformed(`the request has a subject but no ${source}; mount what sets it before this middleware`);
      return Object.hasOwn(claims, sessionClaim) ? claims[sessionClaim] : undefined;
    },
  };
}

/** The value of `req.a` or `req.a.b`. */
export function onRequest(req: Request, property: string): unknown {
  return property
    .split('.')
    .reduce<unknown>((value, key) => (value as Members | null | undefined)?.[key], req as unknown as Members);
}

/** @throws AplSessionError `session.invalid` */
export function membersOf(value: unknown, what: string): Members {
  if (typeof value === 'object' && value !== null) return value as Members;
  throw malformed(`${what} must be an object; got ${kindOfValue(value)}`);
}

/** @throws AplSessionError `session.invalid` */
export function textMember(members: Members, name: string): string {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  if (typeof value === 'string' && value !== '' && value.isWellFormed()) return value;
  throw malformed(
    `an authenticated request must have '${name}' as a non-empty, well-formed string; got ${kindOfValue(value)}`,
  );
}
