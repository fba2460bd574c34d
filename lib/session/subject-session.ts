import type { Request } from 'express';
import Joi from 'joi';
import { whenSettled } from '../util/maybe-promise.js';
import { parseOptions } from '../util/parse-options.js';
import { claimTextOrNone, type Text, textOrNone } from './accessor-value.js';
import type { ResolvedSession } from './resolved-session.js';
import { KEYINGS, type SessionKeying, type SessionTier } from './session-keying.js';

/**
 * Reads one text from a request; may be async. `undefined`, `null` and `''` mean that there is none; anything else
 * that is no well-formed string is the error `session.invalid`. What it throws goes to Express's error handling.
 */
export interface SessionAccessor extends Explained {
  (req: Request): Text | PromiseLike<Text>;
}

/** Reads a claim of a verified token; may be async. `undefined` and `''` mean that there is none. */
export interface ClaimAccessor extends Explained {
  (req: Request): unknown;
}

/** An accessor that can tell why a request has nothing for it. */
interface Explained {
  /**
   * Asked of every accessor where no subject was found: why there is nothing to read, in a fixed sentence that holds
   * nothing of the request; `undefined` if it knows of nothing. Throws `session.invalid` if what it reads from is not mounted.
   */
  explain?(req: Request): string | undefined;
}

export interface SubjectSessionOptions {
  /** The authenticated principal, never a value that the client may choose. Nothing resolves without it. */
  readonly subject: SessionAccessor;

  /**
   * Tier `agent`: a session id that the client or an upstream chose, for example the `mcp-session-id` header or the
   * context id of A2A. Whoever may choose it may also leave labels behind by choosing a new one.
   */
  readonly sessionId?: SessionAccessor;

  /**
   * Tier `token_claim`: the `session_id` claim of a token whose signature was checked. A claim that is no string counts
   * as its JSON, as with CPEX; give it as a string where you can.
   */
  readonly claim?: ClaimAccessor;

  /** Tier `identity`: the client or agent that calls on behalf of the subject. */
  readonly caller?: SessionAccessor;

  /** Tier `identity`: the name of this app, where several share one store and not their sessions. */
  readonly gateway?: SessionAccessor;

  /**
   * `cpex` (default) gives the ids that CPEX gives: 16 hex characters, in which a colon in the subject can collide.
   * `strict` gives 64 hex characters without such collisions, but shares no session with CPEX.
   */
  readonly keying?: SessionKeying;
}

/** What `subjectSession` returns. The answer is no promise unless an accessor has given one. */
export interface SubjectSessionResolver {
  (req: Request): ResolvedSession | undefined | PromiseLike<ResolvedSession | undefined>;

  /** Why a request has no session, if it has none. */
  explain(req: Request): string;
}

type ParsedOptions = SubjectSessionOptions & Required<Pick<SubjectSessionOptions, 'keying'>>;

const schema = Joi.object<ParsedOptions>({
  subject: Joi.function().required(),
  sessionId: Joi.function(),
  claim: Joi.function(),
  caller: Joi.function(),
  gateway: Joi.function(),
  keying: Joi.string().valid('cpex', 'strict').default('cpex'),
});

const none: SessionAccessor = () => undefined;

/**
 * A resolver that binds every session to the authenticated subject, as CPEX does. The first tier that has what it
 * needs wins and is the session's `source`: `agent` (a `sessionId`), `token_claim` (a `claim`), `identity`
 * (the subject with `caller` and `gateway`, as far as they are there). Without a subject there is no session.
 *
 * @throws AplSessionError `config.invalid` for options that it does not understand
 */
export function subjectSession(options: SubjectSessionOptions): SubjectSessionResolver {
  const parsed = parseOptions('subjectSession', schema, options);
  const { subject, sessionId = none, claim = none, caller = none, gateway = none } = parsed;
  const keyOf = KEYINGS[parsed.keying];
  const found = (source: SessionTier, ...parts: (string | undefined)[]): ResolvedSession => ({
    id: keyOf(source, parts),
    source,
  });

  const byIdentity = (req: Request, who: string) =>
    whenSettled(caller(req), (callerRead) => {
      const from = textOrNone('caller', callerRead);
      return whenSettled(gateway(req), (gatewayRead) =>
        found('identity', who, from, textOrNone('gateway', gatewayRead)),
      );
    });
  const byClaim = (req: Request, who: string) =>
    whenSettled(claim(req), (read) => {
      const claimed = claimTextOrNone(read);
      return claimed === undefined ? byIdentity(req, who) : found('token_claim', who, claimed);
    });
  const byAgent = (req: Request, who: string) =>
    whenSettled(sessionId(req), (read) => {
      const chosen = textOrNone('sessionId', read);
      return chosen === undefined ? byClaim(req, who) : found('agent', who, chosen);
    });
  const explain = (req: Request): string => explanationOf([subject, sessionId, claim, caller, gateway], req);
  const resolve = (req: Request) =>
    whenSettled(subject(req), (read) => {
      const who = textOrNone('subject', read);
      if (who !== undefined) return byAgent(req, who);
      // throws if the package of an accessor is not mounted, which must not look like a request without a subject
      explain(req);
      return undefined;
    });
  return Object.assign(resolve, { explain });
}

/** All are asked, as a later one may throw. The first that knows the reason tells it. */
function explanationOf(accessors: readonly Explained[], req: Request): string {
  const [reason] = accessors.map((accessor) => accessor.explain?.(req)).filter((told) => told !== undefined);
  return reason ?? 'no subject';
}
