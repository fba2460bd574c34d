import type { Request } from 'express';
import Joi from 'joi';
import { parseOptions } from '../options/parse-options.js';
import { markUncalled } from '../options/uncalled.js';
import { debugLine, isDebugging } from '../util/debug-log.js';
import { isPromiseLike, type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import { optionalClaimText, optionalText, type Text } from './accessor-value.js';
import { RecentIds } from './recent-ids.js';
import { assertReason, type ResolvedSession } from './resolved-session.js';
import { KEYINGS, type SessionKeying, type SessionTier } from './session-keying.js';

/**
 * Reads one text from a request; may be async. `undefined`, `null` and `''` mean that the request has no such text. Any other
 * value than a well-formed string is the error `session.invalid`. Errors of the accessor go to Express's error handling.
 */
export interface SessionAccessor extends Explained {
  (req: Request): Text | PromiseLike<Text>;
}

/** Reads a claim of a verified token; may be async. `undefined` and `''` mean that the token has no such claim. */
export interface ClaimAccessor extends Explained {
  (req: Request): unknown;
}

/** An accessor that can explain why a request has no value for it. */
interface Explained {
  /**
   * Called on every accessor when a request has no subject. Returns the reason, a fixed sentence without anything from the
   * request, or `undefined`. Throws `session.invalid` if the middleware that the accessor reads from is not mounted.
   */
  explain?(req: Request): string | undefined;
}

export interface SubjectSessionOptions {
  /** The authenticated principal; never a value that the client may choose. Without it the request has no session. */
  readonly subject: SessionAccessor;

  /**
   * Tier `agent`: a session id that the client or an upstream chose, for example the `mcp-session-id` header or the A2A
   * context id. A client that may choose it can also leave its labels behind by choosing a new one.
   */
  readonly sessionId?: SessionAccessor;

  /**
   * Tier `token_claim`: the `session_id` claim of a token whose signature was checked. A claim that is not a string counts
   * as its JSON text, as in CPEX; prefer strings.
   */
  readonly claim?: ClaimAccessor;

  /** Tier `identity`: the client or agent that calls on behalf of the subject. */
  readonly caller?: SessionAccessor;

  /** Tier `identity`: the name of this app, if several apps share a store but not their sessions. */
  readonly gateway?: SessionAccessor;

  /**
   * `cpex` makes the ids that CPEX makes: 16 hex characters, in which a colon in the subject can collide.
   * `strict` makes 64 hex characters without such collisions, and shares no session with CPEX.
   * @default 'cpex'
   */
  readonly keying?: SessionKeying;
}

/** What `subjectSession` returns. The result is a promise only if an accessor returns one. */
export interface SubjectSessionResolver {
  (req: Request): ResolvedSession | undefined | PromiseLike<ResolvedSession | undefined>;

  /** Why a request has no session. */
  explain(req: Request): string;
}

type ParsedOptions = SubjectSessionOptions & Required<Pick<SubjectSessionOptions, 'keying'>>;

// Express middleware has three parameters
const accessor = Joi.function().maxArity(2);

const schema = Joi.object<ParsedOptions>({
  subject: accessor.required(),
  sessionId: accessor,
  claim: accessor,
  caller: accessor,
  gateway: accessor,
  keying: Joi.string().valid('cpex', 'strict').default('cpex'),
});

const hints = Object.fromEntries(
  ['subject', 'sessionId', 'claim', 'caller', 'gateway'].map((name) => [
    name,
    `Write a function of the request, ${name}: (req) => ..., or spread the accessors of a package, ...fromExpressJwt({ issuer }).`,
  ]),
);

const absent: SessionAccessor = () => undefined;

/**
 * A resolver that binds every session to the authenticated subject, as CPEX does. It tries three tiers and uses the first one
 * that has a value: `agent` (`sessionId`), `token_claim` (`claim`), `identity` (the subject, with `caller` and `gateway` where
 * they have a value). The tier is the session's `source`. A request without a subject has no session.
 *
 * @example
 * aplSessionMiddleware({
 *   session: subjectSession({ subject: subjectOf, sessionId: (req) => req.get('mcp-session-id') }),
 * });
 *
 * @throws AplSessionError `config.invalid` for invalid options
 */
export function subjectSession(options: SubjectSessionOptions): SubjectSessionResolver {
  const parsed = parseOptions('subjectSession', schema, options, hints);
  const { subject, sessionId = absent, claim = absent, caller = absent, gateway = absent } = parsed;
  const { textOf, digest } = KEYINGS[parsed.keying];
  const ids = new RecentIds(digest);
  debugOptions(parsed);
  const session = (source: SessionTier, parts: readonly (string | undefined)[]): ResolvedSession => ({
    id: ids.of(textOf(source, parts)),
    source,
  });

  const byIdentity = (req: Request, principal: string) =>
    withText('caller', caller(req), (client) =>
      withText('gateway', gateway(req), (app) => session('identity', [principal, client, app])),
    );
  const byClaim = (req: Request, principal: string) =>
    whenSettled(claim(req), (value) => {
      const text = optionalClaimText(value);
      return text === undefined ? byIdentity(req, principal) : session('token_claim', [principal, text]);
    });
  // the functions for these two steps are not made for each request, because most accessors are synchronous
  const byId = (text: string | undefined, req: Request, principal: string) =>
    text === undefined ? byClaim(req, principal) : session('agent', [principal, text]);
  const byAgent = (req: Request, principal: string) => withTextOf('sessionId', sessionId(req), byId, req, principal);
  const bySubject = (principal: string | undefined, req: Request) => {
    if (principal !== undefined) return byAgent(req, principal);
    // throws if a required middleware is not mounted: that must not look like a request without a subject
    explain(req);
    return undefined;
  };
  const explain = (req: Request): string => explanationOf([subject, sessionId, claim, caller, gateway], req);
  const resolve = (req: Request) => withTextOf('subject', subject(req), bySubject, req, '');
  return Object.assign(resolve, { explain });
}

markUncalled(subjectSession, 'session: subjectSession({ subject: (req) => ... })');

function debugOptions({ keying, sessionId, claim, caller, gateway }: ParsedOptions): void {
  if (!isDebugging()) return;
  const identity = ['subject', ...(caller ? ['caller'] : []), ...(gateway ? ['gateway'] : [])];
  const tiers = [
    ...(sessionId ? ['agent (sessionId)'] : []),
    ...(claim ? ['token_claim (claim)'] : []),
    `identity (${identity.join(', ')})`,
  ];
  debugLine(`subjectSession: keying '${keying}'; tiers ${tiers.join(', ')}`);
}

function withText<R>(
  name: string,
  value: MaybePromise<Text>,
  next: (text: string | undefined) => MaybePromise<R>,
): MaybePromise<R> {
  return whenSettled(value, (text) => next(optionalText(name, text)));
}

/** The same for a function that takes its other values as parameters. */
function withTextOf<R>(
  name: string,
  value: MaybePromise<Text>,
  next: (text: string | undefined, req: Request, principal: string) => MaybePromise<R>,
  req: Request,
  principal: string,
): MaybePromise<R> {
  if (!isPromiseLike(value)) return next(optionalText(name, value), req, principal);
  return withText(name, value, whenKnown(next, req, principal));
}

/** A function of its own: in `withTextOf`, V8 would keep the parameters in an object for every request. */
function whenKnown<R>(
  next: (text: string | undefined, req: Request, principal: string) => MaybePromise<R>,
  req: Request,
  principal: string,
): (text: string | undefined) => MaybePromise<R> {
  return (text) => next(text, req, principal);
}

/** The first reason that an accessor gives. Calls all accessors, because a later one may throw. */
function explanationOf(accessors: readonly Explained[], req: Request): string {
  const reasons = accessors.map((accessor) => assertReason(accessor.explain?.(req)));
  return reasons.find((reason) => reason !== undefined) ?? 'no subject';
}
