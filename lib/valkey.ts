export type { ProvenanceOption, ProvenanceOptions } from './provenance/provenance-option.js';
export type { ValkeyCircuitBreakerOptions, ValkeySessionStoreOptions } from './stores/valkey/config/valkey-config.js';
export type { ValkeyPassword } from './stores/valkey/config/valkey-endpoint.js';
export type { ValkeyTlsOptions } from './stores/valkey/config/valkey-tls.js';
export { ValkeySessionStore, valkeySessionStoreFactory } from './stores/valkey/valkey-session-store.js';
