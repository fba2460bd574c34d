export type { ValkeyCircuitBreakerOptions, ValkeySessionStoreOptions } from './stores/valkey/valkey-config.js';
export { ValkeySessionStore, valkeySessionStoreFactory } from './stores/valkey/valkey-session-store.js';
