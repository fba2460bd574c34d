import { askPassword } from '../terminal/password-prompt.js';
import { type Terminal, UsageError } from '../terminal/terminal.js';

export interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** Where a login is read from. */
interface LoginSource {
  readonly of: string;
  readonly usernameVariable: string;
  readonly passwordVariable: string;
  readonly promptOption: string;
}

export const VALKEY_LOGIN: LoginSource = {
  of: 'Valkey',
  usernameVariable: 'VALKEY_USERNAME',
  passwordVariable: 'VALKEY_PASSWORD',
  promptOption: '--password-prompt',
};

export const SENTINEL_LOGIN: LoginSource = {
  of: 'the Sentinels',
  usernameVariable: 'SENTINEL_USERNAME',
  passwordVariable: 'SENTINEL_PASSWORD',
  promptOption: '--sentinel-password-prompt',
};

/** Reads a login from the environment, or its password from a prompt. Never from an argument. */
export async function loginFrom(terminal: Terminal, source: LoginSource, isPrompt: boolean): Promise<Login> {
  const { of, usernameVariable, passwordVariable, promptOption } = source;
  const username = terminal.env[usernameVariable] || undefined;
  const password = isPrompt
    ? await askPassword(terminal, `Password of ${of}`, passwordVariable)
    : terminal.env[passwordVariable] || undefined;
  if (isPrompt && !password) throw new UsageError('The password is empty. Type the password, then Enter.');
  if (username !== undefined && password === undefined) {
    const fix = `Set ${passwordVariable} too, or use ${promptOption}.`;
    throw new UsageError(`${usernameVariable} is set, but there is no password. ${fix}`);
  }
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

/**
 * Other users of the machine can read the arguments of a process.
 * @throws UsageError for an address with a login; the message does not repeat it
 */
export function refuseLoginIn(addresses: readonly string[]): void {
  if (!addresses.some((address) => address.includes('@'))) return;
  throw new UsageError(
    'An address contains a login. Other users of this machine can read the arguments of a process. ' +
      'Remove everything up to the @, set VALKEY_USERNAME and VALKEY_PASSWORD (for Sentinels SENTINEL_USERNAME and ' +
      'SENTINEL_PASSWORD) in the environment, or use --password-prompt. Change the password if it was a real one.',
  );
}
