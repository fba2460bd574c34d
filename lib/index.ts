export type {
  Alarm,
  AlarmListener,
  AlarmLogger,
  DenialNotRendered,
  PolicyError,
  SessionMissing,
  SessionStoreCircuitChanged,
  SessionStoreFailure,
  SessionStoreNotDurable,
  SessionStoreTtlRefreshFailed,
  SessionStoreTtlUnsound,
  SessionStoreUnsafeEviction,
  SessionStoreUnsupportedServer,
} from './contract/alarms.js';
export { AplSessionError, type AplSessionErrorCode } from './contract/errors.js';
export type { RequestSecurity, Violation } from './contract/security.js';
export type { SessionStore, SessionStoreFactory, StoreFinding } from './contract/session-store.js';
export { MAX_LABEL_BYTES } from './labels/label.js';
export { type AplSessionMiddleware, aplSessionMiddleware } from './middleware/apl-session-middleware.js';
export type { GuardOptions } from './middleware/guard-options.js';
export type { LabelCondition, Labels } from './middleware/label-condition.js';
export type { AplSessionOptions } from './middleware/middleware-options.js';
export { type OpenSession, openSession } from './middleware/open-session.js';
export type { OpenSessionOptions } from './middleware/open-session-options.js';
export {
  type DecidePolicy,
  type PolicyDecision,
  type PolicyInput,
  type PolicyOptions,
  policy,
} from './middleware/policy.js';
export { PolicyViolation } from './middleware/policy-violation.js';
export { policyViolationHandler } from './middleware/policy-violation-handler.js';
export { denyIf, type RequestPredicate, requireThat } from './middleware/predicate-guards.js';
export { requireSession } from './middleware/require-session.js';
export { type TaintOptions, taint } from './middleware/taint.js';
export type { DenialOption, DenialRenderer, DenialTemplate } from './response/denial.js';
export { type JsonRpcDenialOptions, jsonRpcDenial } from './response/json-rpc-denial.js';
export type { ProblemDetails } from './response/problem-denial.js';
export { fromExpressSession } from './session/from-express-session.js';
export { fromPassport } from './session/from-passport.js';
export type { NoSession, ResolvedSession, SessionAnswer, SessionResolver } from './session/resolved-session.js';
export type { SessionKeying } from './session/session-keying.js';
export {
  type ClaimAccessor,
  type SessionAccessor,
  type SubjectSessionOptions,
  type SubjectSessionResolver,
  subjectSession,
} from './session/subject-session.js';
export {
  type ExpressJwtSessionOptions,
  fromExpressJwt,
  fromMcpBearerAuth,
  fromOauth2JwtBearer,
} from './session/token-accessors.js';
export type { TokenAccessors, TokenSessionOptions } from './session/verified-claims.js';
export { MemorySessionStore, type MemorySessionStoreOptions } from './stores/memory-session-store.js';
export { type IgnoredKey, sessionStoreBlock } from './stores/session-store-block.js';
export type { SessionStoreBlock } from './stores/session-store-registry.js';
