import { type Command, InvalidArgumentError } from 'commander';

/** The options that say where Valkey is and how to log in. Passwords are never among them. */
export interface TargetFlags {
  readonly sentinels?: readonly string[];
  readonly name?: string;
  readonly nodes?: readonly string[];
  readonly tls?: true;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServername?: string;
  readonly passwordPrompt?: true;
  readonly sentinelPasswordPrompt?: true;
  readonly keyPrefix: string;
}

/** Adds the argument and the options of all commands that connect to Valkey. */
export function addTargetFlags(command: Command): Command {
  return command
    .argument('[endpoint]', 'one server: host:port, redis://host:port or rediss://host:port, without a login')
    .optionsGroup('Where Valkey is:')
    .option('--sentinels <addresses>', 'the Sentinels, separated by commas, instead of an endpoint', addressList)
    .option('--name <name>', 'the name of the primary in the configuration of the Sentinels')
    .option('--nodes <addresses>', 'some nodes of a cluster, separated by commas, instead of an endpoint', addressList)
    .option('--tls', 'use TLS with addresses that are host:port')
    .option('--tls-ca <file>', 'the authorities to trust, in PEM')
    .option('--tls-cert <file>', "the client's certificate, in PEM; needs --tls-key")
    .option('--tls-key <file>', 'the private key of --tls-cert, in PEM')
    .option('--tls-servername <name>', "the name that the server's certificate must have")
    .option('--key-prefix <prefix>', 'the beginning of every key', 'taint:v1')
    .optionsGroup('Login (VALKEY_USERNAME, VALKEY_PASSWORD, SENTINEL_USERNAME, SENTINEL_PASSWORD in the environment):')
    .option('--password-prompt', 'ask for the password of Valkey')
    .option('--sentinel-password-prompt', 'ask for the password of the Sentinels');
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError('Give a positive integer.');
}

function addressList(text: string): string[] {
  return text
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
}
