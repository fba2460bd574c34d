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
