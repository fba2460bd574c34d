import type { Alarm, SessionStoreRecovered } from './alarms.js';

/** The members of every event. No event holds a label, the id of a session or a subject. */
export interface EventOrigin {
  /** The version of this package. Several copies of it in one process publish on the same channels. */
  readonly version: string;
  /**
   * Which `aplSessionMiddleware()` has published the event: the same name as in the debug output. `openSession` for all open
   * sessions.
   */
  readonly mount: string;
}

/** A request has reached the middleware, and its session is determined. */
export interface RequestEvent extends EventOrigin {
  readonly method: string;
  /** How the session was found, for example `agent`; absent for a request without a session. */
  readonly source?: string;
}

/** A load has ended. */
export interface LoadEvent extends EventOrigin {
  readonly outcome: 'loaded' | 'failed';
  readonly durationMs: number;
  /** The code of the error, if it is an error of this package. */
  readonly code?: string;
}

/** An append has ended. One append may store labels of several requests of a session. */
export interface AppendEvent extends EventOrigin {
  readonly outcome: 'appended' | 'failed';
  readonly durationMs: number;
  /** The code of the error, if it is an error of this package. */
  readonly code?: string;
}

/** A held response. It stands for nothing else: neither the request nor the content can be reached from it. */
export interface HeldResponse {
  /** How many bytes are held now, with the header section and the framing of chunks; 0 after the hold. Computed when it is read. */
  readonly bytes: number;
}

/**
 * A response is held, or its hold has ended. Each `held` is followed by one of the other outcomes; a response can be held several
 * times.
 */
export interface HoldEvent extends EventOrigin {
  /** Method and route pattern, as in alarms. */
  readonly route: string;
  /** `refused`: a denial takes the place of the response. `cut`: bytes had left, so the connection was ended. */
  readonly outcome: 'held' | 'released' | 'refused' | 'cut';
  /** How long the response was held, in milliseconds; 0 for `held`. */
  readonly durationMs: number;
  /** The same object in all events about the holds of one response. */
  readonly response: HeldResponse;
}

/** A request is denied by this package. One event for each request. */
export interface DenialEvent extends EventOrigin {
  /** Method and route pattern, as in alarms. */
  readonly route: string;
  /** The code of the violation, as the client sees it. */
  readonly code: string;
  /** Whether bytes had left, so that the connection was cut. */
  readonly cut: boolean;
  /** The `instance` in the denial that the client got; absent if the connection was cut. */
  readonly instance?: string;
}

/** An alarm other than a recovery was raised. */
export interface AlarmEvent extends EventOrigin {
  readonly alarm: Exclude<Alarm, SessionStoreRecovered>;
}

/** A failure that lasted is over. */
export interface RecoveryEvent extends EventOrigin {
  readonly alarm: SessionStoreRecovered;
}

/**
 * A step of a request with the id of its session and with labels, for the option `onEvent` of the middleware. No channel, alarm or
 * log line has them.
 */
export interface SessionEvent {
  /**
   * `request`: the session is determined. `loaded`: labels were loaded. `appended`: the store has acknowledged labels. `denied`: the
   * request is denied by this package, once for each request.
   */
  readonly event: 'request' | 'loaded' | 'appended' | 'denied';
  /** Method and route pattern, as in alarms; `GET *` before Express has matched a route. */
  readonly route: string;
  /** `req.security.sessionId`; absent for a request without a session. */
  readonly sessionId?: string;
  /**
   * `loaded`: the labels that the store has returned. `appended`: those that it has acknowledged. Otherwise those that the request
   * has loaded or added so far.
   */
  readonly labels: readonly string[];
  /** The code of the denial. */
  readonly code?: string;
  /** The `instance` in the denial; absent if the connection was cut. */
  readonly instance?: string;
}

/** Receives the events of one middleware as frozen objects. Its errors are ignored. */
export type SessionEventListener = (event: SessionEvent) => void;

/**
 * The events by the name of their channel in `node:diagnostics_channel`. Every event is a frozen object.
 *
 * @example
 * import { subscribe } from 'node:diagnostics_channel';
 *
 * subscribe('express-apl-session:denial', (message) => {
 *   const { route, code } = message as AplSessionEvents['express-apl-session:denial'];
 *   console.log(`${route} was denied: ${code}`);
 * });
 */
export interface AplSessionEvents {
  readonly 'express-apl-session:request': RequestEvent;
  readonly 'express-apl-session:load': LoadEvent;
  readonly 'express-apl-session:append': AppendEvent;
  readonly 'express-apl-session:hold': HoldEvent;
  readonly 'express-apl-session:denial': DenialEvent;
  readonly 'express-apl-session:alarm': AlarmEvent;
  readonly 'express-apl-session:recovery': RecoveryEvent;
}
