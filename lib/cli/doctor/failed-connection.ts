import { AplSessionError, type AplSessionErrorCode } from '../../contract/errors.js';
import type { LocalFinding } from './finding.js';

/** How to mend a connection, in the words of the command line. */
const FIXES: Partial<Record<AplSessionErrorCode, string>> = {
  'store.unavailable': 'Check the address, the port, the firewall, and that the server runs and accepts connections.',
  'store.timeout': 'Check the load of the server and the network.',
  'store.login_failed':
    'Correct VALKEY_USERNAME and VALKEY_PASSWORD, for Sentinels SENTINEL_USERNAME and SENTINEL_PASSWORD.',
  'store.not_permitted':
    'Grant the user the rights in docs/operations.md, for Sentinels those in docs/high-availability.md.',
  'store.tls_failed':
    'Check that the port speaks TLS, and give a client certificate if the server requires one: --tls-cert and --tls-key.',
  'store.certificate_untrusted': "Give the authority of the server's certificate with --tls-ca.",
  'store.certificate_expired': "Renew the server's certificate, and check the clocks.",
  'store.certificate_wrong_name':
    'Connect by a name that the certificate has, or give that name with --tls-servername.',
};

/** The finding for a call that failed, for example because there is no connection. */
export function failedCall(name: string, error: unknown): LocalFinding {
  if (!(error instanceof AplSessionError)) throw error;
  const { code, message } = error;
  return failed(name, code, message.replace(/\.$/, ''));
}

export function failed(name: string, code: AplSessionErrorCode, detail: string): LocalFinding {
  const fix = FIXES[code] ?? 'Look up the code in docs/errors.md.';
  return { name, status: 'failure', detail, fix, code };
}
