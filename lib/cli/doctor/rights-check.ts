import { ReplyError } from '../../stores/valkey/protocol/reply-error.js';
import { ErrorReply, type Reply } from '../../stores/valkey/protocol/resp-parser.js';
import { toStoreError } from '../../stores/valkey/protocol/store-error.js';
import { failed } from './failed-connection.js';
import type { LocalFinding } from './finding.js';

/** Sends commands to one primary. Error replies are among the replies. */
export type AskPrimary = (name: string, ...commands: ReadonlyArray<readonly string[]>) => Promise<readonly Reply[]>;

export interface RightsOptions {
  /** A key under the prefix of the store that no session has. */
  readonly probeKey: string;
  readonly keyPrefix: string;
  /** Whether the app has `ttlSeconds`. */
  readonly withTtl: boolean;
  readonly isCluster: boolean;
  /** Whether appends of the app wait for replicas. */
  readonly waits: boolean;
}

/** A right that the store uses, and a command that needs the right and changes nothing. */
interface Right {
  readonly right: string;
  readonly command: (probeKey: string) => readonly string[];
  /** Without a needed right requests are denied. */
  readonly isNeeded: boolean;
  readonly purpose: string;
}

const ALWAYS: readonly Right[] = [
  { right: '+smembers', command: (key) => ['smembers', key], isNeeded: true, purpose: 'loads' },
  { right: '+echo', command: () => ['echo', 'doctor'], isNeeded: false, purpose: 'the probe behind each call' },
  {
    right: '+client|capa',
    command: () => ['client', 'capa', 'redirect'],
    isNeeded: false,
    purpose: 'a demoted server refuses reads',
  },
  { right: '+info', command: () => ['info', 'server'], isNeeded: false, purpose: 'the self-check' },
  {
    right: '+config|get',
    command: () => ['config', 'get', 'maxmemory-policy'],
    isNeeded: false,
    purpose: 'the self-check',
  },
];

const PROBE_TTL_SECONDS = '60';

const EXPIRE: Right = {
  right: '+expire',
  command: (key) => ['expire', key, PROBE_TTL_SECONDS],
  isNeeded: true,
  purpose: 'appends and loads with a TTL, or appends that wait for replicas',
};

/** Without `MULTI` it is an error that is not about rights. */
const EXEC: Right = { right: '+exec', command: () => ['exec'], isNeeded: true, purpose: 'appends with a TTL' };

/** Waits for no replica. */
const WAIT: Right = {
  right: '+wait',
  command: () => ['wait', '0', '1'],
  isNeeded: true,
  purpose: 'appends that wait for replicas',
};

const IN_CLUSTER: readonly Right[] = [
  { right: '+cluster|slots', command: () => ['cluster', 'slots'], isNeeded: true, purpose: 'the map of the slots' },
  { right: '+asking', command: () => ['asking'], isNeeded: true, purpose: 'slots that move' },
];

/**
 * Tries each right that the store uses on a key that no session has. With a TTL that key expires after a minute. Without
 * a TTL it stays, because the user of the store cannot remove it; it is always the same key with one member.
 */
export async function checkRights(ask: AskPrimary, options: RightsOptions): Promise<LocalFinding[]> {
  const { withTtl, isCluster, waits, probeKey } = options;
  const rights = [
    ...ALWAYS,
    ...(isCluster ? IN_CLUSTER : []),
    ...(withTtl || waits ? [EXPIRE] : []),
    ...(withTtl ? [EXEC] : []),
    ...(waits ? [WAIT] : []),
  ];
  const replies = await ask('rights', ...rights.map(({ command }) => command(probeKey)));
  const findings = rights.map((right, index) => judge(right, replies[index], options));
  const add = ['sadd', probeKey, 'doctor'];
  if (!withTtl) return [...findings, await tryAppend('+sadd', [add], ask, options)];
  const isGranted = (name: string): boolean => findings.some((each) => each.name === name && each.status === 'ok');
  // without EXPIRE the probe key might stay
  if (!isGranted('+expire') || !isGranted('+exec')) return [...findings, APPENDS_NOT_TRIED];
  const append = [['multi'], add, ['expire', probeKey, PROBE_TTL_SECONDS], ['exec']];
  return [...findings, await tryAppend('+sadd +multi', append, ask, options)];
}

const APPENDS_NOT_TRIED: LocalFinding = {
  name: '+sadd +multi',
  status: 'unknown',
  detail: 'appends were not tried, because the probe key would stay',
  fix: 'Grant +expire and +exec first, or use --no-ttl if the app has no ttlSeconds.',
};

function judge(
  { right, isNeeded, purpose }: Right,
  reply: Reply | undefined,
  { keyPrefix }: RightsOptions,
): LocalFinding {
  if (!isRefused(reply)) return { name: right, status: 'ok', detail: `granted (${purpose})` };
  const detail = `refused (${purpose})`;
  const fix = `Grant ${right} to the user, on the keys ~${keyPrefix}:*.`;
  if (!isNeeded) return { name: right, status: 'warning', detail, fix };
  return { name: right, status: 'failure', detail, fix, code: 'store.not_permitted' };
}

/** Writes the probe key as the store appends labels, and reads it. This finds a server that is full or read-only, too. */
async function tryAppend(
  name: string,
  commands: ReadonlyArray<readonly string[]>,
  ask: AskPrimary,
  { probeKey, keyPrefix }: RightsOptions,
): Promise<LocalFinding> {
  const replies = await ask('append', ...commands);
  const nested = replies.flatMap((reply) => (Array.isArray(reply) ? (reply as readonly Reply[]) : [reply]));
  const errors = nested.filter((reply) => reply instanceof ErrorReply);
  const error = errors.find(isRefused) ?? errors[0];
  if (isRefused(error)) {
    const fix = `Grant ${name} to the user, on the keys ~${keyPrefix}:*.`;
    return { name, status: 'failure', detail: 'refused (appends)', fix, code: 'store.not_permitted' };
  }
  if (error) {
    const { code, message } = toStoreError('append', new ReplyError(error.text));
    return failed(name, code, message);
  }
  const [members] = await ask('load', ['smembers', probeKey]);
  if (Array.isArray(members) && members.includes('doctor')) {
    return { name, status: 'ok', detail: 'granted (appends): a probe key was written and read' };
  }
  const fix = 'Check that the address leads to the primary, and that nothing deletes keys.';
  return { name, status: 'failure', detail: 'a probe key was written, but a read did not return it', fix };
}

/** Whether the ACL refused a command or a key. The refusal of `EXEC` begins with another word. */
export function isRefused(reply: Reply | undefined): boolean {
  return reply instanceof ErrorReply && /^(EXECABORT Transaction discarded because of: )?NOPERM\b/.test(reply.text);
}
