import { AplSessionError, type AplSessionErrorCode } from '../../../contract/errors.js';

/** Why there is no connection, with a code for each thing that somebody has to mend. */
export interface ConnectionFailure {
  readonly code: AplSessionErrorCode;
  /** In words; free of credentials. */
  readonly reason: string;
}

const NO_CERTIFICATE_TRUST =
  /^(UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE|DECODE_ISSUER)|(DEPTH_ZERO_)?SELF_SIGNED_CERT|CERT_(UNTRUSTED|REJECTED|REVOKED|SIGNATURE_FAILURE|CHAIN_TOO_LONG)|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED)/;

/** What ioredis's error code, or else the first words of Valkey's answer, tell. */
const RULES: ReadonlyArray<readonly [pattern: RegExp, failure: ConnectionFailure]> = [
  [
    /^(WRONGPASS|NOAUTH)\b|\bNOAUTH\b/,
    { code: 'store.login_failed', reason: 'Valkey refused the username or the password' },
  ],
  [
    /^NOPERM\b/,
    { code: 'store.not_permitted', reason: 'the ACL forbids the user a command that the connection needs' },
  ],
  [/^ERR DB index\b/, { code: 'store.unavailable', reason: 'Valkey has no such database' }],
  [
    /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/,
    { code: 'store.certificate_expired', reason: "the server's certificate is not valid at this time" },
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    { code: 'store.certificate_wrong_name', reason: "the server's certificate is for another name" },
  ],
  [
    NO_CERTIFICATE_TRUST,
    { code: 'store.certificate_untrusted', reason: "no trusted authority vouches for the server's certificate" },
  ],
];

/**
 * Reads what a client reports. Its words go no further: ioredis hangs the login on some of its errors.
 * @param unanswered whether TLS stood, and Valkey had answered nothing yet
 */
export function connectionFailureOf(error: unknown, unanswered = false): ConnectionFailure {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const word = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
  const text = word ?? (typeof message === 'string' ? message : '');
  const rule = RULES.find(([pattern]) => pattern.test(text));
  if (rule) return rule[1];
  if (/^(ERR_(SSL|TLS|OSSL)_[A-Z0-9_]+|EPROTO)$/.test(text)) {
    return { code: 'store.tls_failed', reason: `the TLS handshake failed (${text})` };
  }
  // TLS 1.3 stands for the client before the server has seen its certificate; the refusal may come as a mere reset
  if (unanswered && /^(ECONNRESET|EPIPE)$/.test(text)) {
    return {
      code: 'store.tls_failed',
      reason: `Valkey ended the connection where it checks client certificates (${text})`,
    };
  }
  return { code: 'store.unavailable', reason: word ?? 'the connection was closed' };
}

/** The error for a call that found no connection in time. */
export function noConnection(timeoutMs: number, failure: ConnectionFailure | undefined): AplSessionError {
  const because = failure ? `: ${failure.reason}` : '';
  return new AplSessionError(
    failure?.code ?? 'store.unavailable',
    `No connection to Valkey within ${timeoutMs} ms${because}.`,
  );
}
