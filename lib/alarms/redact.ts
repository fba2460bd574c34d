const MAX_TEXT = 500;

/** The text of an error for an alarm, without the given secrets and without possible credentials. Never throws. */
export function errorText(error: unknown, secrets: Iterable<string>): string {
  return withoutCredentials(withoutSecrets(textOf(error), secrets)).slice(0, MAX_TEXT);
}

const NAMED_SECRET = /\b(password|passwd|pwd|pass|secret|token|auth)=[^&;,]+/gi;
/** Hosts that cannot be a part of a login. */
const ADDRESS = String.raw`(?:localhost|\[[0-9a-f:.]{2,45}\]|\d{1,3}(?:\.\d{1,3}){3})`;
const SHOWN_ADDRESS = new RegExp(String.raw`^${ADDRESS}(?::\d{1,5})?(?:[/?#]|\W*$)`, 'i');
const REDIS_SCHEME = /\b(?:redis|valkey)s?:\/\//i;

/**
 * Removes the part before an `@`, the query of a URL, the path of a Redis URL, and the values of names such as
 * `password`. Works word by word, with patterns that do not backtrack, because a client may have sent the text.
 */
function withoutCredentials(text: string): string {
  return text.replace(/\S+/g, (word) => withoutPath(withoutQuery(withoutLogin(word))).replace(NAMED_SECRET, '$1=***'));
}

/** Whether a host is `localhost` or an IP address, which cannot be a part of a login. */
export function isAddress(host: string): boolean {
  return new RegExp(`^${ADDRESS}$`, 'i').test(host);
}

function withoutLogin(word: string): string {
  const at = word.lastIndexOf('@');
  if (at <= 0) return word;
  const [scheme] = /^(?:[a-z][\w+.-]*:)?\/\//i.exec(word) ?? [''];
  const tail = word.slice(at + 1);
  // in user:a@b:6379 the password may be a@b, so a host name is removed, too
  return `${scheme}***${SHOWN_ADDRESS.test(tail) ? `@${tail}` : ''}`;
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

/** A secret of this length or less is replaced only as a whole word, because it is a part of many other words. */
const SHORT = 3;

/** Replaces every secret in a text. */
export function withoutSecrets(text: string, secrets: Iterable<string>): string {
  const all = Array.isArray(secrets) ? (secrets as readonly string[]) : [...secrets];
  // for the names of routes, which are made for many requests
  if (!all.some((secret) => secret !== '' && text.includes(secret))) return text;
  let clean = text;
  // longest first: a secret may be the beginning of another one, whose rest must not stay
  for (const secret of all.toSorted((a, b) => b.length - a.length)) {
    if (secret.length > SHORT) clean = clean.replaceAll(secret, '***');
    else if (secret !== '') clean = clean.replace(standingAlone(secret), '***');
  }
  return clean;
}

function standingAlone(secret: string): RegExp {
  const escaped = secret.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, 'gu');
}

/** A store may reject with any value, even with one that cannot become a string. */
function textOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'an error without a text';
  }
}
