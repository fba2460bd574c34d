/** A load or an append failed, and the request failed closed. Level: error. */
export interface SessionStoreFailure {
  readonly alarm: 'session_store_failure';
  readonly op: 'load' | 'append';
  /**
   * Method and route pattern, for example `GET /users/:id`. In mount paths, `:` replaces every segment that is not a plain
   * word. `GET *` if Express has not matched a route yet, as for most loads. The `name` option for a session of
   * `openSession`.
   */
  readonly route: string;
  /** The error as text, without labels, session ids and credentials. */
  readonly error: string;
  /** The code of the error, for example `store.timeout`, if it is an error of this package. */
  readonly code?: string;
  /** Only for the `append` of a request: whether the response was not a denial. */
  readonly decisionWasAllow?: boolean;
  /** Only for the `append` of a request: whether bytes of the response had left, so that the connection was cut. */
  readonly bytesSent?: boolean;
  /** The `instance` in the denial that the client got; absent if the client got no denial of this package. */
  readonly instance?: string;
}

/**
 * A load did not return labels that an earlier load had returned, or that the store had acknowledged, in this process. The
 * store has lost them. They are in the request's labels and are appended again before its handlers run; if that fails, the
 * request fails closed. Level: error.
 */
export interface SessionStoreRegression {
  readonly alarm: 'session_store_regression';
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** How many labels the load did not return. */
  readonly lostLabels: number;
  /** The event, and the things to check. */
  readonly error: string;
}

/** A load returned labels but could not refresh their TTL. The labels are used. Level: warn. */
export interface SessionStoreTtlRefreshFailed {
  readonly alarm: 'session_store_ttl_refresh_failed';
  /** The error as text. */
  readonly error: string;
}

/** At start: `ttlSeconds` is shorter than a session can last, so labels may expire before their session. Level: warn. */
export interface SessionStoreTtlUnsound {
  readonly alarm: 'session_store_ttl_unsound';
  /** The finding, and how to mend it. */
  readonly error: string;
  readonly ttlSeconds: number;
  readonly maxSessionLifetimeSeconds: number;
}

/** A store's circuit breaker changed its state. No state allows a request that `closed` would deny. Level: warn. */
export interface SessionStoreCircuitChanged {
  readonly alarm: 'session_store_circuit_changed';
  /** `open`: calls are rejected at once. `half_open`: one call is sent as a probe. `closed`: normal operation. */
  readonly state: 'open' | 'half_open' | 'closed';
  /** The reason as text. */
  readonly error: string;
}

/** The server may evict labels when its memory is full, or has evicted keys already. Level: warn. */
export interface SessionStoreUnsafeEviction {
  readonly alarm: 'session_store_unsafe_eviction';
  /** The finding, and how to mend it. */
  readonly error: string;
}

/** The server may lose acknowledged labels when it crashes or restarts. Level: warn. */
export interface SessionStoreNotDurable {
  readonly alarm: 'session_store_not_durable';
  /** The finding, and how to mend it. */
  readonly error: string;
}

/** This package does not support the version or the role of the server. Level: warn. */
export interface SessionStoreUnsupportedServer {
  readonly alarm: 'session_store_unsupported_server';
  /** The finding, and how to mend it. */
  readonly error: string;
}

/**
 * A failure that lasted is over. Raised after the first success that no failure follows within one second; for a self-check,
 * when no primary has the warning any more. Level: warn.
 */
export interface SessionStoreRecovered {
  readonly alarm: 'session_store_recovered';
  /** The alarm that told of the failure. */
  readonly after:
    | 'session_store_failure'
    | 'session_store_ttl_refresh_failed'
    | 'session_store_unsafe_eviction'
    | 'session_store_not_durable'
    | 'session_store_unsupported_server';
  /** Only after `session_store_failure`. */
  readonly op?: 'load' | 'append';
  /** The code of the first failure, if it had one. */
  readonly code?: string;
  /** From the first failure to the first success after the last one, in milliseconds. */
  readonly durationMs: number;
  /** How many of these alarms were raised in that time. For `session_store_failure`: how many loads or appends failed. */
  readonly failures: number;
  /** A sentence that names the failure that is over. */
  readonly error: string;
}

/** A guard could not decide and denied the request. Level: error. */
export interface PolicyError {
  readonly alarm: 'policy_error';
  /** The guard's `name` option, by default its function: `denyIf`, `requireThat` or `policy`. */
  readonly guard: string;
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** The error as text, without labels, session ids and credentials in URLs. */
  readonly error: string;
  /** The code of the error if it is an error of this package: `policy.error` for an invalid result. */
  readonly code?: string;
  /** As in {@link SessionStoreFailure}. */
  readonly instance?: string;
}

/** A guard with `enforce: 'observe'` would have denied a request, which went on. Level: warn. */
export interface PolicyWouldDeny {
  readonly alarm: 'policy_would_deny';
  /** As in {@link PolicyError}. */
  readonly guard: string;
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** The code of the violation. */
  readonly code: string;
  /** The reason of the violation, without labels and the session id. */
  readonly error: string;
}

/**
 * A request without a session added a label, read the labels of `req.security`, passed a guard, or was denied by
 * `sessionless: 'deny'`. Its labels are not stored, and labels of earlier requests are not known. Raised once for each mount,
 * route and reason, and again after a request on that route had a session or another reason; at most 60 times a minute.
 * Level: warn.
 */
export interface SessionMissing {
  readonly alarm: 'session_missing';
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** The reason that the resolver gives, for example `no subject`; without labels and ids. */
  readonly reason: string;
  /** The reason as a sentence. */
  readonly error: string;
  /** As in {@link SessionStoreFailure}. */
  readonly instance?: string;
}

/**
 * With `sessions: 'enrolled'`, a request was denied because its session is not enrolled: the client chose the id, the
 * session has expired, or the store has lost it. At most 60 times a minute, together with `session_missing`. Level: warn.
 */
export interface SessionUnknown {
  readonly alarm: 'session_unknown';
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** The things to check. */
  readonly error: string;
  /** As in {@link SessionStoreFailure}. */
  readonly instance?: string;
}

/** A denial renderer failed, so the default denial was sent. Level: error. */
export interface DenialNotRendered {
  readonly alarm: 'denial_not_rendered';
  /** As in {@link SessionStoreFailure}. */
  readonly route: string;
  /** The error as text, without labels, session ids and credentials in URLs. */
  readonly error: string;
  /** As in {@link SessionStoreFailure}. */
  readonly instance?: string;
}

/** A named operational event. `onAlarm` receives each one, as a frozen object. */
export type Alarm =
  | SessionStoreFailure
  | SessionStoreRegression
  | SessionStoreTtlRefreshFailed
  | PolicyError
  | PolicyWouldDeny
  | DenialNotRendered
  | SessionMissing
  | SessionUnknown
  | SessionStoreCircuitChanged
  | SessionStoreUnsafeEviction
  | SessionStoreNotDurable
  | SessionStoreUnsupportedServer
  | SessionStoreTtlUnsound
  | SessionStoreRecovered;

export type AlarmListener = (alarm: Alarm) => void;

/**
 * The methods of a logger that this package calls. winston, `console` and most loggers have them. `fields` has the members of the
 * alarm, `package`, `version`, `store` (host and port) and `help` (where the documents say what to do). A line about several
 * alarms has `repeated`, `overMs` and `routes` in place of the members that belong to one request.
 */
export interface AlarmLogger {
  warn(message: string, fields: object): unknown;
  error(message: string, fields: object): unknown;
}
