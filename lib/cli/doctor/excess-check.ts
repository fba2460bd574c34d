import { randomBytes } from 'node:crypto';
import { isOk } from '../../stores/valkey/protocol/valkey-request.js';
import type { LocalFinding } from './finding.js';
import { type AskPrimary, isRefused, type RightsOptions } from './rights-check.js';

/** Commands that no user of the store needs, for `ACL DRYRUN`. They are not executed. */
const DANGEROUS: ReadonlyArray<readonly string[]> = [
  ['flushall'],
  ['flushdb'],
  ['keys', '*'],
  ['config', 'set', 'maxmemory', '0'],
  ['acl', 'setuser', 'x'],
  ['shutdown'],
];

/**
 * Finds rights that the user of the store must not have. It removes the probe key, reads a key of another prefix, and
 * asks which user it is. All three are refused if the rights are right; each refusal is an entry in `ACL LOG`.
 */
export async function checkExcess(ask: AskPrimary, { probeKey, keyPrefix }: RightsOptions): Promise<LocalFinding[]> {
  const tag = /\{.*?\}/.exec(probeKey)?.[0] ?? '';
  const foreignKey = `not-${keyPrefix}:${tag}${randomBytes(8).toString('hex')}`;
  const [removed, read, user] = await ask('rights', ['del', probeKey], ['smembers', foreignKey], ['acl', 'whoami']);
  const dangerous = typeof user === 'string' ? await permittedOf(ask, user) : [];
  const excess = [
    ...(isRefused(removed) ? [] : ['delete labels (+del)']),
    ...(isRefused(read) ? [] : [`read keys outside of ${keyPrefix}:*`]),
    ...(dangerous.length === 0 ? [] : [`run ${dangerous.join(', ')}`]),
  ];
  const name = 'excess_rights';
  if (excess.length === 0) {
    return [{ name, status: 'ok', detail: 'the user can neither delete labels nor read other keys' }];
  }
  const fix = 'Use a user of its own for the labels, with the rights in docs/operations.md and no others.';
  return [{ name, status: 'warning', detail: `the user may ${excess.join('; ')}`, fix }];
}

/** The dangerous commands that the ACL would let a user run. */
async function permittedOf(ask: AskPrimary, user: string): Promise<string[]> {
  const replies = await ask('rights', ...DANGEROUS.map((command) => ['acl', 'dryrun', user, ...command]));
  const permitted = DANGEROUS.filter((_, index) => isOk(replies[index] ?? null));
  return permitted.map(([command = '', sub = '']) => (/^(config|acl)$/.test(command) ? `${command} ${sub}` : command));
}
