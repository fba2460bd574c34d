export type {
  Alarm,
  AlarmListener,
  AlarmLogger,
  DenialNotRendered,
  PolicyError,
  PolicyWouldDeny,
  SessionMissing,
  SessionStoreCircuitChanged,
  SessionStoreFailure,
  SessionStoreNotDurable,
  SessionStoreRecovered,
  SessionStoreRegression,
  SessionStoreTtlRefreshFailed,
  SessionStoreTtlUnsound,
  SessionStoreUnsafeEviction,
  SessionStoreUnsupportedServer,
  SessionUnknown,
} from './contract/alarms.js';
export { AplSessionError, type AplSessionErrorCode } from './contract/errors.js';
export type {
  AlarmEvent,
  AplSessionEvents,
  AppendEvent,
  DenialEvent,
  EventOrigin,
  HeldResponse,
  HoldEvent,
  LoadEvent,
  RecoveryEvent,
  RequestEvent,
  SessionEvent,
  SessionEventListener,
} from './contract/events.js';
export type { LabelExplanation, LabelOrigin, SessionExplanation } from './contract/provenance.js';
export type { RequestSecurity, Violation } from './contract/security.js';
export type { SessionStore, SessionStoreFactory, StoreCheckOptions } from './contract/session-store.js';
export type {
  StoreCircuit,
  StoreFinding,
  StoreLatency,
  StoreStatus,
  StoreStatusFailure,
  StoreTopology,
} from './contract/store-status.js';
export type { DenialOption, DenialRenderer, DenialTemplate } from './denial/denial.js';
export type { DenialDetails } from './denial/denial-instance.js';
export { type JsonRpcDenialOptions, jsonRpcDenial } from './denial/json-rpc-denial.js';
export { PolicyViolation } from './denial/policy-violation.js';
export type { ProblemDetails } from './denial/problem-denial.js';
export { allowOnly } from './guards/allow-only.js';
export type { GuardOptions } from './guards/guard-options.js';
export type { LabelCondition, Labels } from './guards/label-condition.js';
export {
  type DecidePolicy,
  type PolicyDecision,
  type PolicyInput,
  type PolicyOptions,
  policy,
} from './guards/policy.js';
export { policyViolationHandler } from './guards/policy-violation-handler.js';
export { denyIf, type RequestPredicate, requireThat } from './guards/predicate-guards.js';
export { requireSession } from './guards/require-session.js';
export { type TaintOptions, taint } from './guards/taint.js';
export { healthHandler } from './health/health-handler.js';
export type { HealthHandlerOptions } from './health/health-options.js';
export { MAX_LABEL_BYTES } from './labels/label.js';
export { type AplSessionMiddleware, aplSessionMiddleware } from './middleware/apl-session-middleware.js';
export type { AplSessionOptions } from './middleware/middleware-options.js';
export { type OpenSession, openSession } from './open-session/open-session.js';
export type { OpenSessionOptions } from './open-session/open-session-options.js';
export type { ProvenanceOption, ProvenanceOptions } from './provenance/provenance-option.js';
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
export { type IgnoredKey, sessionStoreBlock } from './stores/cpex-store-block.js';
export { MemorySessionStore, type MemorySessionStoreOptions } from './stores/memory-session-store.js';
export { quarantine } from './stores/quarantine.js';
export type { SessionStoreBlock } from './stores/session-store-registry.js';
