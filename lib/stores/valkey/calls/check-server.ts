import type {
  SessionStoreNotDurable,
  SessionStoreUnsafeEviction,
  SessionStoreUnsupportedServer,
} from '../../../contract/alarms.js';
import type { StoreFinding } from '../../../contract/store-status.js';
import type { ValkeyDurability } from '../config/valkey-durability.js';
import { ErrorReply, type Reply } from '../protocol/resp-parser.js';
import { settingsIn } from '../protocol/server-settings.js';
import { requestOf } from '../protocol/valkey-request.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';

/** Settings and state of the server by name. A fact is absent if the server does not report it. */
type Facts = ReadonlyMap<string, string>;

export type SelfCheckAlarm = SessionStoreUnsafeEviction | SessionStoreNotDurable | SessionStoreUnsupportedServer;

interface Check {
  readonly name: string;
  readonly fact: string;
  readonly isSound: (value: string) => boolean;
  readonly fix: string;
  readonly alarm: SelfCheckAlarm['alarm'];
}

const OLDEST_VERSION = [7, 2] as const;

const CHECKS: readonly Check[] = [
  {
    name: 'eviction_policy',
    fact: 'maxmemory_policy',
    isSound: (policy) => policy === 'noeviction',
    fix: 'Set maxmemory-policy to noeviction: with any other policy the server may delete labels when its memory is full.',
    alarm: 'session_store_unsafe_eviction',
  },
  {
    name: 'evicted_keys',
    fact: 'evicted_keys',
    isSound: (count) => count === '0',
    fix: 'The server has evicted keys since it started, perhaps also labels. Set maxmemory-policy to noeviction and raise maxmemory.',
    alarm: 'session_store_unsafe_eviction',
  },
  {
    name: 'append_only_file',
    fact: 'aof_enabled',
    isSound: (enabled) => enabled === '1',
    fix: 'Set appendonly to yes: without it the server loses labels when it crashes.',
    alarm: 'session_store_not_durable',
  },
  {
    name: 'append_fsync',
    fact: 'appendfsync',
    isSound: (when) => when === 'always' || when === 'everysec',
    fix: 'Set appendfsync to everysec, or to always, with which acknowledged labels survive a crash.',
    alarm: 'session_store_not_durable',
  },
  {
    name: 'role',
    fact: 'role',
    isSound: (role) => role === 'master',
    fix: 'Set the endpoint to the address of the primary.',
    alarm: 'session_store_unsupported_server',
  },
  {
    name: 'server_version',
    fact: 'version',
    isSound: isRecent,
    fix: 'Use Valkey 7.2 or newer, or Redis 7.2 or newer.',
    alarm: 'session_store_unsupported_server',
  },
];

/** Checks for the options. Such a check replaces the check with the same name, or is an additional one. */
function demandedBy({ local, replicas }: Partial<ValkeyDurability>): readonly Check[] {
  const demanded: Check[] = [];
  if (local === 'synced') {
    demanded.push({
      name: 'append_fsync',
      fact: 'appendfsync',
      isSound: (when) => when === 'always',
      fix: "Set appendfsync to always: the option 'durability.local' demands it, and appends fail without it.",
      alarm: 'session_store_not_durable',
    });
  }
  if (replicas !== undefined) {
    demanded.push({
      name: 'connected_replicas',
      fact: 'connected_slaves',
      isSound: (count) => Number(count) >= replicas,
      fix: `Connect replicas: the option 'durability.replicas' demands ${replicas}, and appends fail without them.`,
      alarm: 'session_store_not_durable',
    });
  }
  return demanded;
}

const REQUEST = requestOf(['info'], ['config', 'get', 'maxmemory-policy', 'appendonly', 'appendfsync']);

export interface ServerCheck {
  readonly findings: readonly StoreFinding[];
  readonly alarms: readonly SelfCheckAlarm[];
}

/** Checks in one round trip whether the server is suitable. Rejects only if the connection is lost. */
export async function checkServer(wire: ValkeyAsker, durability: Partial<ValkeyDurability> = {}): Promise<ServerCheck> {
  // managed services refuse CONFIG; the check then uses INFO alone
  const [info, config] = (await wire.ask(REQUEST)).map((reply) => (reply instanceof ErrorReply ? null : reply));
  const facts = factsIn(info, config);
  const findings: StoreFinding[] = [];
  const alarms: SelfCheckAlarm[] = [];
  const demanded = demandedBy(durability);
  const usual = CHECKS.filter(({ name }) => demanded.every((check) => check.name !== name));
  for (const check of [...usual, ...demanded]) {
    const finding = judge(check, facts);
    findings.push(finding);
    if (finding.status === 'warning') alarms.push({ alarm: check.alarm, error: `${finding.detail}. ${check.fix}` });
  }
  return { findings: Object.freeze(findings), alarms };
}

const SEVERITY: readonly StoreFinding['status'][] = ['ok', 'unknown', 'warning'];

/** Combines the checks of several servers: of each finding the most severe one, and each alarm once. */
export function combinedCheck(checks: readonly ServerCheck[]): ServerCheck {
  const findings = new Map<string, StoreFinding>();
  const alarms = new Map<string, SelfCheckAlarm>();
  for (const check of checks) {
    for (const finding of check.findings) {
      const known = findings.get(finding.name);
      const isWorse = !known || SEVERITY.indexOf(finding.status) > SEVERITY.indexOf(known.status);
      if (isWorse) findings.set(finding.name, finding);
    }
    for (const alarm of check.alarms) alarms.set(alarm.error, alarm);
  }
  return { findings: Object.freeze([...findings.values()]), alarms: [...alarms.values()] };
}

function judge({ name, fact, isSound, fix }: Check, facts: Facts): StoreFinding {
  const value = facts.get(fact);
  if (value === undefined) {
    return Object.freeze({ name, status: 'unknown', detail: `The server does not report ${fact}`, fix });
  }
  const detail = `${fact} is ${value}`;
  return Object.freeze(isSound(value) ? { name, status: 'ok', detail } : { name, status: 'warning', detail, fix });
}

/** Combines INFO and CONFIG, because the server may refuse either. INFO has most of the facts. */
function factsIn(info: Reply | undefined, config: Reply | undefined): Facts {
  const facts = new Map<string, string>();
  const settings = settingsIn(config);
  const set = (name: string, value: string | undefined): void => void (value !== undefined && facts.set(name, value));
  set('maxmemory_policy', settings.get('maxmemory-policy'));
  set('appendfsync', settings.get('appendfsync'));
  const appendOnly = settings.get('appendonly');
  if (appendOnly !== undefined) facts.set('aof_enabled', appendOnly === 'yes' ? '1' : '0');
  if (typeof info === 'string') {
    for (const [, name = '', value = ''] of info.matchAll(/^(\w+):([^\r\n]*)/gm)) facts.set(name, value);
  }
  // in Valkey, redis_version is the version of Redis with which it is compatible
  set('version', facts.get('valkey_version') ?? facts.get('redis_version'));
  return facts;
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1]);
}
