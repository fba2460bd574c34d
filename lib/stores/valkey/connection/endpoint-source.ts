import { AplSessionError } from '../../../contract/errors.js';
import { kindOfValue } from '../../../options/kind-of-value.js';
import { withDeadline } from '../../../util/deadlines.js';
import { hostAndPort } from '../config/server-list.js';
import type { ValkeyEndpoint, ValkeyPassword } from '../config/valkey-endpoint.js';
import type { ValkeyTls } from '../config/valkey-tls.js';
import { dialServer } from './dial-server.js';
import type { ValkeyLogin } from './greet.js';
import type { ValkeySource } from './valkey-source.js';

const PASSWORD_TIMEOUT_MS = 5_000;

/** Connections to one server whose address and login are in the options. */
export function endpointSource(endpoint: ValkeyEndpoint, details: ValkeyTls = {}): ValkeySource {
  const { host, port, tls } = endpoint;
  return {
    acceptsReplica: false,
    loopbackOnly: !tls,
    address: () => hostAndPort(endpoint),
    login: () => currentLogin(endpoint),
    dial: () => dialServer({ host, port }, tls ? details : undefined),
  };
}

/** The login in the options. Calls the password function, if there is one. */
export async function currentLogin({ username, password, db }: Partial<ValkeyEndpoint>): Promise<ValkeyLogin> {
  const current = await currentPassword(password);
  return {
    ...(username !== undefined && { username }),
    ...(current !== undefined && { password: current }),
    ...(db !== undefined && { db }),
  };
}

/** Never repeats the error of the password function, because its message may contain the password. */
async function currentPassword(password: ValkeyPassword | undefined): Promise<string | undefined> {
  if (typeof password !== 'function') return password;
  const failed = (what: string): AplSessionError =>
    new AplSessionError('store.login_failed', `the password function ${what}`);
  const late = failed(`did not return a password within ${PASSWORD_TIMEOUT_MS} ms`);
  const thrown = failed('has thrown an error, or its promise was rejected');
  const answer: unknown = await withDeadline(
    async () => password(),
    PASSWORD_TIMEOUT_MS,
    () => late,
  ).catch((error) => {
    throw error === late ? late : thrown;
  });
  if (answer === '') throw failed('returned an empty string');
  if (typeof answer !== 'string') throw failed(`must return a string; it returned ${kindOfValue(answer)}`);
  return answer;
}
