/**
 * Why a request is denied. The client receives both members, so they must not tell which data the session has touched.
 *
 * @example
 * const tainted: Violation = { code: 'session_tainted', reason: 'this session may not send mail' };
 */
export interface Violation {
  /** Stable and machine-readable, for example `session_tainted`. */
  readonly code: string;
  /** One sentence for people. */
  readonly reason: string;
}

/**
 * The type of `req.security`.
 *
 * @example
 * app.get('/notes', async (req, res) => {
 *   const notes = await readNotes();
 *   if (notes.some(({ pii }) => pii)) req.security.labels.add('PII');
 *   res.json(notes);
 * });
 */
export interface RequestSecurity {
  /** The id under which the store keeps this session; `undefined` for a request without a session. */
  readonly sessionId: string | undefined;

  /** How the session was found, for example `agent`; `undefined` for a request without a session. */
  readonly source: string | undefined;

  /**
   * The labels of the session, including those that this request has added. The set only grows: `delete` and `clear` throw
   * `label.immutable`, and `add` throws `label.invalid` for an invalid label. Without a session the labels last until the end
   * of the request.
   */
  readonly labels: Set<string>;

  /** The first violation that the request was denied for; `undefined` if it was not denied. */
  readonly violation: Violation | undefined;

  /**
   * Answers the request with a denial, or cuts the connection if bytes of the response have left. A later call changes nothing.
   * @throws AplSessionError `violation.invalid` if code or reason is not a non-empty string
   */
  deny(violation: Violation): void;

  /**
   * Write-ahead: appends the labels that the store has not acknowledged yet and waits. Call it before a side effect. Resolves
   * at once without such labels or without a session. Without `await` a failure still refuses the response and raises an alarm,
   * but it does not stop the side effect.
   * @throws AplSessionError `session.persist_failed`; after that only a denial can be sent, unless a later call succeeds
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
