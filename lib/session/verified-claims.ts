import type { Request } from 'express';
import Joi, { type SchemaMap } from 'joi';
import { malformed } from './accessor-value.js';
import type { SubjectSessionOptions } from './subject-session.js';

/** What the accessors of token middleware need to know. */
export interface TokenSessionOptions {
  /**
   * Whose tokens the app accepts; a token that names another issuer, or none, is the error `session.invalid`.
   * One string: the subject is the `sub` claim alone, as with CPEX. A list: issuer and `sub` together, because a `sub`
   * means something only under its issuer. `null`: the tokens name no issuer, and one that does is an error.
   */
  readonly issuer: string | readonly string[] | null;

  /** The claim that names the subject. Default `sub`. */
  readonly subjectClaim?: string;

  /** The claim that names the session, for the tier `token_claim`. Default `session_id`. */
  readonly sessionClaim?: string;
}

/** The part of `subjectSession`'s options that tokens give; to be spread into them. */
export type TokenAccessors = Required<Pick<SubjectSessionOptions, 'subject' | 'claim'>>;

export type Members = Readonly<Record<string, unknown>>;

export const tokenSessionOptions: SchemaMap = {
  issuer: Joi.alternatives(Joi.string(), Joi.array().items(Joi.string()).min(1), Joi.valid(null)).required(),
  subjectClaim: Joi.string().default('sub'),
  sessionClaim: Joi.string().default('session_id'),
};

/** Where the middleware of a package puts the claims that it has verified. */
interface VerifiedClaims {
  /** In words, for example `req.auth`. */
  readonly source: string;
  /** `undefined` where nobody is authenticated. */
  readonly claimsOf: (req: Request) => Members | undefined;
}

/** Accessors for claims that a middleware has verified. */
export function tokenAccessors(
  { issuer, subjectClaim, sessionClaim }: Required<TokenSessionOptions>,
  { source, claimsOf }: VerifiedClaims,
): TokenAccessors {
  const accepted = new Set(typeof issuer === 'string' ? [issuer] : issuer);
  const subjectOf = (claims: Members): string => {
    const subject = textMember(claims, subjectClaim);
    if (issuer === null) {
      if (!Object.hasOwn(claims, 'iss')) return subject;
      throw malformed("a token names its issuer; set 'issuer' to those that the app accepts");
    }
    const iss = textMember(claims, 'iss');
    if (!accepted.has(iss)) throw malformed("a token is from an issuer that 'issuer' does not name");
    // no JSON array is the beginning of another, so this does not collide even where parts are joined by colons
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
      return claims && Object.hasOwn(claims, sessionClaim) ? claims[sessionClaim] : undefined;
    },
  };
}

/** What a middleware has put on the request, under `a` or `a.b`. */
export function onRequest(req: Request, property: string): unknown {
  return property
    .split('.')
    .reduce<unknown>((value, key) => (value as Members | null | undefined)?.[key], req as unknown as Members);
}

/** @throws AplSessionError `session.invalid` */
export function membersOf(value: unknown, what: string): Members {
  if (typeof value === 'object' && value !== null) return value as Members;
  throw malformed(`${what} must be an object`);
}

/** @throws AplSessionError `session.invalid` */
export function textMember(members: Members, name: string): string {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  if (typeof value === 'string' && value !== '' && value.isWellFormed()) return value;
  throw malformed(`an authenticated request must have '${name}' as a non-empty, well-formed string`);
}
