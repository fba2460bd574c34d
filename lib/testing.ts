export type { SessionStoreContractOptions, SessionStoreTtl, StoreOutage } from './testing/contract-options.js';
export {
  type ControllableStore,
  type ControllableStoreOptions,
  controllableStore,
  type StoreCall,
  type StoreOperation,
} from './testing/controllable-store.js';
export { type StoreContractCase, sessionStoreContract } from './testing/session-store-contract.js';
export {
  enrollSession,
  type SubjectOfTest,
  seedSession,
  sessionIdFor,
  sessionLabels,
  type TestSession,
} from './testing/test-session.js';
