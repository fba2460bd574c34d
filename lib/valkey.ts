export type { ValkeyCircuitBreakerOptions, ValkeySessionStoreOptions } from './stores/valkey/valkey-config.js';
export type { ValkeyPassword } from './stores/valkey/valkey-endpoint.js';
export { ValkeySessionStore, valkeySessionStoreFactory } from './stores/valkey/valkey-session-store.js';
export type { ValkeyTlsOptions } from './stores/valkey/valkey-tls.js';
