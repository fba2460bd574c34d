/**
 * A store operation failed and the request was failed closed. Severity: error.
 */
export interface SessionStoreFailure {
  readonly alarm: 'session_store_failure';
  /** Which of the two store operations failed. */
  readonly op: 'load' | 'append';
  /**
   * Method and route pattern, for example `GET /users/:id`. Mount paths are shown with every segment that is no plain
   * word replaced by `:`. `GET *` before Express has matched a route, as with most loads. The `name` of a session
   * that `openSession` has opened.
   */
  readonly route: string;
  /** What went wrong, in words; free of labels, session ids and credentials. */
  readonly error: string;
  /** The stable code of the failure, for example `store.timeout`, where there is one. */
  readonly code?: string;
  /** `append` of a request only: whether it would have been answered, had the store not failed. */
  readonly decisionWasAllow?: boolean;
  /** `append` of a request only: whether bytes of the response had left, so that the connection had to be cut. */
  readonly bytesSent?: boolean;
}

/** A load succeeded but its refresh of the TTL did not; the labels count. Severity: warn. */
export interface SessionStoreTtlRefreshFailed {
  readonly alarm: 'session_store_ttl_refresh_failed';
  /** What went wrong, in words. */
  readonly error: string;
}

/**
 * At start: labels may expire under a session that still lives, because its TTL is shorter than the longest life of a
 * session. Severity: warn.
 */
export interface SessionStoreTtlUnsound {
  readonly alarm: 'session_store_ttl_unsound';
  /** What was found, and what to do, in words. */
  readonly error: string;
  readonly ttlSeconds: number;
  readonly maxSessionLifetimeSeconds: number;
}

/** A store's circuit breaker changed its state. No state allows what a closed one would deny. Severity: warn. */
export interface SessionStoreCircuitChanged {
  readonly alarm: 'session_store_circuit_changed';
  /** `open`: calls are refused at once. `half_open`: one call goes through as a probe. `closed`: normal operation. */
  readonly state: 'open' | 'half_open' | 'closed';
  /** What led to it, in words. */
  readonly error: string;
}

/** The server may drop labels when its memory runs out, or has dropped keys already. Severity: warn. */
export interface SessionStoreUnsafeEviction {
  readonly alarm: 'session_store_unsafe_eviction';
  /** What was found, and what to do, in words. */
  readonly error: string;
}

/** The server may lose acknowledged labels when it crashes or restarts. Severity: warn. */
export interface SessionStoreNotDurable {
  readonly alarm: 'session_store_not_durable';
  /** What was found, and what to do, in words. */
  readonly error: string;
}

/** The server is of a version or in a role that this package does not support. Severity: warn. */
export interface SessionStoreUnsupportedServer {
  readonly alarm: 'session_store_unsupported_server';
  /** What was found, and what to do, in words. */
  readonly error: string;
}

/** A guard could not decide, and so denied the request. Severity: error. */
export interface PolicyError {
  readonly alarm: 'policy_error';
  /** The guard: its `name` option, or `denyIf`, `requireThat` or `policy`. */
  readonly guard: string;
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** What went wrong, in words; free of labels, session ids and credentials in URLs. */
  readonly error: string;
  /** The stable code of the failure, where it is one of this package: `policy.error` for an answer that is none. */
  readonly code?: string;
}

/**
 * A label was added to a request without a session, a guard let one pass, or `sessionless: 'deny'` refused one: what it
 * learns is forgotten, and what its caller did before is not known. Raised once for each mount, route and reason, until a
 * request on that route has a session, or the reason is another; 60 times a minute at most. Severity: warn.
 */
export interface SessionMissing {
  readonly alarm: 'session_missing';
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** Why there is no session, in the words of the resolver, for example `no subject`; free of labels and ids. */
  readonly reason: string;
  /** The same as a sentence. */
  readonly error: string;
}

/** A renderer of denials failed, so that the default denial was sent. Severity: error. */
export interface DenialNotRendered {
  readonly alarm: 'denial_not_rendered';
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** What went wrong, in words; free of labels, session ids and credentials in URLs. */
  readonly error: string;
}

/** A named operational event. The same object goes to the logger and to `onAlarm`; it is frozen. */
export type Alarm =
  | SessionStoreFailure
  | SessionStoreTtlRefreshFailed
  | PolicyError
  | DenialNotRendered
  | SessionMissing
  | SessionStoreCircuitChanged
  | SessionStoreUnsafeEviction
  | SessionStoreNotDurable
  | SessionStoreUnsupportedServer
  | SessionStoreTtlUnsound;

export type AlarmListener = (alarm: Alarm) => void;

/** What the package needs of a logger. winston, console and most others have it. */
export interface AlarmLogger {
  warn(message: string, fields: object): unknown;
  error(message: string, fields: object): unknown;
}
