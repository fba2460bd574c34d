import winston from 'winston';
import type { Alarm, AlarmListener, AlarmLogger } from '../contract/alarms.js';

const MESSAGES: Readonly<Record<string, string>> = {
  'session_store_failure load': 'session label load failed; failing request closed',
  'session_store_failure append': 'session label persist failed; failing request closed',
  session_store_ttl_refresh_failed: 'TTL refresh on load failed; labels returned',
  session_missing: 'labels or a guard met a request without a session; its labels are not kept',
  policy_error: 'policy could not be evaluated; request denied',
  denial_not_rendered: 'denial could not be rendered; default denial sent',
  session_store_circuit_changed: 'circuit breaker of the session store changed its state',
  session_store_unsafe_eviction: 'the session store may evict labels',
  session_store_not_durable: 'the session store may lose labels in a crash',
  session_store_unsupported_server: 'the session store runs on an unsupported server',
  session_store_ttl_unsound: 'labels may expire before their session does; raise ttlSeconds',
};

/** Alarms about a request that was denied, or a label that was not stored. The others warn of what may come. */
const REFUSALS: ReadonlySet<Alarm['alarm']> = new Set(['session_store_failure', 'policy_error', 'denial_not_rendered']);

/** The default logger: winston, one JSON object a line on standard error. */
export function defaultLogger(): AlarmLogger {
  return winston.createLogger({
    level: 'warn',
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ stderrLevels: ['warn', 'error'] })],
  });
}

/** Sends alarms to the logger and to the listener. Neither can change what happens to a request, whatever it does. */
export function alarmSink(logger: AlarmLogger, onAlarm: AlarmListener | undefined): AlarmListener {
  return (alarm) => {
    const frozen = Object.freeze(alarm);
    const level = REFUSALS.has(alarm.alarm) ? 'error' : 'warn';
    contained(() => logger[level](messageFor(alarm), frozen));
    contained(() => onAlarm?.(frozen));
  };
}

function messageFor(alarm: Alarm): string {
  return MESSAGES['op' in alarm ? `${alarm.alarm} ${alarm.op}` : alarm.alarm] ?? alarm.alarm;
}

function contained(call: () => unknown): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // an alarm that cannot be delivered must not decide about a request
  }
}

const MAX_TEXT = 500;

/** An error as text for an alarm: without the given secrets, and without what may be credentials. Never throws. */
export function errorText(error: unknown, secrets: Iterable<string>): string {
  return withoutCredentials(withoutSecrets(textOf(error), secrets)).slice(0, MAX_TEXT);
}

const NAMED_SECRET = /\b(password|passwd|pwd|pass|secret|token|auth)=[^&;,]+/gi;
const REDIS_SCHEME = /\b(?:redis|valkey)s?:\/\//i;

/**
 * A text without what stands before an `@`, behind the `?` of a URL or in the path of a Redis URL, or is called a password.
 * Word by word and without patterns that begin again, as an error may be long and what it says may come from a client.
 */
function withoutCredentials(text: string): string {
  return text.replace(/\S+/g, (word) => withoutPath(withoutQuery(withoutLogin(word))).replace(NAMED_SECRET, '$1=***'));
}

function withoutLogin(word: string): string {
  const at = word.lastIndexOf('@');
  if (at <= 0) return word;
  const [scheme] = /^(?:[a-z][\w+.-]*:)?\/\//i.exec(word) ?? [''];
  return `${scheme}***${word.slice(at)}`;
}

function withoutQuery(word: string): string {
  const authority = word.indexOf('://');
  const query = authority < 0 ? -1 : word.slice(authority).search(/[?#]/);
  return query < 0 ? word : `${word.slice(0, authority + query + 1)}***`;
}

function withoutPath(word: string): string {
  const scheme = REDIS_SCHEME.exec(word);
  const path = scheme === null ? -1 : word.indexOf('/', scheme.index + scheme[0].length);
  return path < 0 || /^\d{0,2}$/.test(word.slice(path + 1)) ? word : `${word.slice(0, path + 1)}***`;
}

/** Secrets this short are replaced where they stand alone; they are parts of too many words. */
const SHORT = 3;

/** A text with every secret in it replaced. */
export function withoutSecrets(text: string, secrets: Iterable<string>): string {
  let clean = text;
  // the longest first, or a secret that begins another one would leave the rest of that one behind
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length > SHORT) clean = clean.replaceAll(secret, '***');
    else if (secret !== '') clean = clean.replace(standingAlone(secret), '***');
  }
  return clean;
}

function standingAlone(secret: string): RegExp {
  const escaped = secret.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, 'gu');
}

/** A store may reject with anything, also with what has no text. */
function textOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'an error without a text';
  }
}
