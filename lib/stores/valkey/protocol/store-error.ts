import { AplSessionError, type AplSessionErrorCode } from '../../../contract/errors.js';
import { ReplyError } from './reply-error.js';

/** Why there is no connection. */
export interface ConnectionFailure {
  readonly code: AplSessionErrorCode;
  /** A part of a sentence, without credentials. */
  readonly reason: string;
}

const UNTRUSTED_CERTIFICATE =
  /^(UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE|DECODE_ISSUER)|(DEPTH_ZERO_)?SELF_SIGNED_CERT|CERT_(UNTRUSTED|REJECTED|REVOKED|SIGNATURE_FAILURE|CHAIN_TOO_LONG)|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED)/;

/** Error codes of Node and error replies of Valkey that need a correction by an operator, each with its code here. */
const KNOWN_FAILURES: ReadonlyArray<readonly [pattern: RegExp, failure: ConnectionFailure]> = [
  [/^WRONGPASS\b/, { code: 'store.login_failed', reason: 'Valkey refused the username or the password; check both' }],
  [
    // ioredis puts the reply of a Sentinel at the end of its own message
    /\bNOAUTH\b/,
    { code: 'store.login_failed', reason: 'Valkey requires a password, and the connection has none; set one' },
  ],
  [
    /^NOPERM\b/,
    { code: 'store.not_permitted', reason: 'the ACL forbids the user a command that the connection needs' },
  ],
  [/^ERR DB index\b/, { code: 'store.unavailable', reason: 'Valkey does not have this database number' }],
  [
    /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/,
    { code: 'store.certificate_expired', reason: "the server's certificate is not valid at this time" },
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    { code: 'store.certificate_wrong_name', reason: "the server's certificate is for another name" },
  ],
  [
    UNTRUSTED_CERTIFICATE,
    { code: 'store.certificate_untrusted', reason: "the server's certificate is not from a trusted authority" },
  ],
];

/**
 * Finds out why a connection failed. The reason never repeats the message of an error: ioredis adds the login to some.
 * @param unanswered whether the TLS handshake is complete and Valkey has not answered yet
 */
export function connectionFailureOf(error: unknown, unanswered = false): ConnectionFailure {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const nodeCode = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
  const text = nodeCode ?? (typeof message === 'string' ? message : '');
  const known = knownFailure(text);
  if (known) return known;
  if (/^(ERR_(SSL|TLS|OSSL)_[A-Z0-9_]+|EPROTO)$/.test(text)) {
    return { code: 'store.tls_failed', reason: `the TLS handshake failed (${text})` };
  }
  // in TLS 1.3 the handshake ends for the client before the server reads its certificate, so a refusal may be a reset
  if (unanswered && /^(ECONNRESET|EPIPE)$/.test(text)) {
    return {
      code: 'store.tls_failed',
      reason: `Valkey closed the connection while it checked the client's certificate (${text})`,
    };
  }
  return { code: 'store.unavailable', reason: nodeCode ?? 'the connection was closed' };
}

/** The error of a call that found no connection in time. */
export function noConnection(timeoutMs: number, failure: ConnectionFailure | undefined): AplSessionError {
  const because = failure ? `: ${failure.reason}` : '';
  return new AplSessionError(
    failure?.code ?? 'store.unavailable',
    `No connection to Valkey within ${timeoutMs} ms${because}.`,
  );
}

/** Turns the error of a call into a store error. Keys, labels and user names, which Valkey repeats, are removed. */
export function toStoreError(operation: string, error: unknown): AplSessionError {
  if (error instanceof AplSessionError) return error;
  const isReply = error instanceof ReplyError;
  const texts = [...new Set(isReply ? error.replies : [(error as Error).message])].map(withoutArguments);
  const code = isReply ? (knownFailure(texts[0] ?? '')?.code ?? 'store.command_failed') : 'store.unavailable';
  return new AplSessionError(code, `Valkey ${operation} failed: ${texts.join(' ')}`);
}

/**
 * Whether the same call may succeed a moment later: its connection was lost, or the server cannot serve at present.
 * A missed deadline does not count, because no time is left for a retry.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof AplSessionError) return false;
  if (!(error instanceof ReplyError)) return true;
  return error.replies.some((reply) =>
    /^(READONLY|REDIRECT|UNBLOCKED|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/.test(reply),
  );
}

function knownFailure(text: string): ConnectionFailure | undefined {
  return KNOWN_FAILURES.find(([pattern]) => pattern.test(text))?.[1];
}

function withoutArguments(message: string): string {
  return (
    message
      .replace(/,? with args beginning with:.*/s, '')
      .replace(/\bUser .+? has/s, 'The user has')
      // the reason of a discarded transaction comes after the colon
      .replace(/^EXECABORT Transaction discarded because of: /, '')
      .replace(/^REDIRECT \S+/, 'REDIRECT The server has become a replica.')
  );
}
