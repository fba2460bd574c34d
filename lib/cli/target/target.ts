import { readFile } from 'node:fs/promises';
import type { ValkeySessionStoreOptions } from '../../stores/valkey/config/valkey-config.js';
import type { ValkeyTlsOptions } from '../../stores/valkey/config/valkey-tls.js';
import { type Terminal, UsageError } from '../terminal/terminal.js';
import { type Login, loginFrom, refuseLoginIn, SENTINEL_LOGIN, VALKEY_LOGIN } from './credentials.js';
import type { TargetFlags } from './target-flags.js';

/**
 * The options of the store for the arguments of a command. The store checks them as it does in an app.
 * @throws UsageError
 */
export async function targetFrom(
  endpoint: string | undefined,
  flags: TargetFlags,
  terminal: Terminal,
): Promise<ValkeySessionStoreOptions> {
  const { sentinels, name, nodes, keyPrefix } = flags;
  refuseLoginIn([...(endpoint === undefined ? [] : [endpoint]), ...(sentinels ?? []), ...(nodes ?? [])]);
  const ways = [endpoint, sentinels, nodes].filter((way) => way !== undefined);
  if (ways.length !== 1) throw new UsageError('Give one of: an endpoint, --sentinels with --name, or --nodes.');
  if (!sentinels && flags.sentinelPasswordPrompt) {
    throw new UsageError('--sentinel-password-prompt belongs to --sentinels. Remove it, or give the Sentinels.');
  }
  const tls = await tlsFrom(flags);
  const login = await loginFrom(terminal, VALKEY_LOGIN, flags.passwordPrompt === true);
  return {
    ...(endpoint !== undefined && endpointOptions(endpoint, tls, login)),
    ...(sentinels && { sentinels, ...(await sentinelLogin(terminal, flags)) }),
    ...(nodes && { nodes }),
    ...(endpoint === undefined && tls !== undefined && { tls }),
    ...(name !== undefined && { name }),
    ...login,
    keyPrefix,
  };
}

/** The store wants `host:port` beside a login that is not in the URL, and TLS as an option then. */
function endpointOptions(endpoint: string, tls: Tls, { password }: Login): ValkeySessionStoreOptions {
  const [, scheme, address] = /^(rediss?):\/\/(.+)$/is.exec(endpoint) ?? [];
  const asIs = { endpoint, ...(tls !== undefined && { tls }) };
  if (scheme === undefined || address === undefined || password === undefined) return asIs;
  if (scheme.toLowerCase() === 'rediss') return { endpoint: address, tls: tls ?? true };
  // the store refuses redis:// with TLS
  return tls === undefined ? { endpoint: address } : asIs;
}

async function sentinelLogin(terminal: Terminal, flags: TargetFlags): Promise<ValkeySessionStoreOptions> {
  const { username, password } = await loginFrom(terminal, SENTINEL_LOGIN, flags.sentinelPasswordPrompt === true);
  return {
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
  };
}

type Tls = true | ValkeyTlsOptions | undefined;

async function tlsFrom({ tls, tlsCa, tlsCert, tlsKey, tlsServername }: TargetFlags): Promise<Tls> {
  const [ca, cert, key] = await Promise.all([
    contentOf('--tls-ca', tlsCa),
    contentOf('--tls-cert', tlsCert),
    contentOf('--tls-key', tlsKey),
  ]);
  const details = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tlsServername !== undefined && { servername: tlsServername }),
  };
  return Object.keys(details).length > 0 ? details : tls;
}

async function contentOf(option: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'an error' } = error as NodeJS.ErrnoException;
    throw new UsageError(`The file of ${option} cannot be read (${code}). Give the path of a PEM file.`);
  }
}
