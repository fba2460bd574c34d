/** Why a request is refused. Both members reach the client, so neither may tell what the session has touched. */
export interface Violation {
  /** Stable and machine-readable, for example `session_tainted`. */
  readonly code: string;
  /** One sentence for people. */
  readonly reason: string;
}

/** What the middleware puts on `req.security`. */
export interface RequestSecurity {
  /** The id under which the store keeps this session; `undefined` for a request without a session. */
  readonly sessionId: string | undefined;

  /** How the session was found, for example `agent`; `undefined` for a request without a session. */
  readonly source: string | undefined;

  /**
   * The session's labels with those that this request added. Grows only: `delete` and `clear` throw
   * `label.immutable`, and `add` throws `label.invalid` for anything that is no label. Without a session the
   * labels live as long as the request.
   */
  readonly labels: Set<string>;

  /** The violation that this request was denied for, if it was. The first one stays. */
  readonly violation: Violation | undefined;

  /**
   * Records the violation and answers the request with it: 403 while no byte of the response is out, a cut
   * connection after that. A request that was already denied stays as it is.
   * @throws AplSessionError `violation.invalid` if code or reason is not a non-empty string.
   */
  deny(violation: Violation): void;

  /**
   * Write-ahead: appends the labels that the store has not acknowledged and waits. Resolves at once if there are
   * none, or no session.
   * @throws AplSessionError `session.persist_failed`; nothing but a denial can be sent after that, unless a later
   * call succeeds.
   */
  persist(): Promise<void>;
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `aplSessionMiddleware`. */
      security: RequestSecurity;
    }
  }
}
