export type {
  Alarm,
  AlarmListener,
  AlarmLogger,
  SessionStoreFailure,
  SessionStoreTtlRefreshFailed,
} from './contract/alarms.js';
export { AplSessionError, type AplSessionErrorCode } from './contract/errors.js';
export type { RequestSecurity, Violation } from './contract/security.js';
export type { SessionStore, SessionStoreFactory } from './contract/session-store.js';
export { MAX_LABEL_BYTES } from './labels/label.js';
export { type AplSessionMiddleware, aplSessionMiddleware } from './middleware/apl-session-middleware.js';
export { type DenyPredicate, denyIf, taint } from './middleware/guards.js';
export type { AplSessionOptions } from './middleware/middleware-options.js';
export type { ProblemDetails } from './response/denial.js';
export type { ResolvedSession, SessionAnswer, SessionResolver } from './session/resolved-session.js';
export { type SessionAccessor, type SubjectSessionOptions, subjectSession } from './session/subject-session.js';
export { MemorySessionStore, type MemorySessionStoreOptions } from './stores/memory-session-store.js';
export type { SessionStoreBlock } from './stores/session-store-registry.js';
