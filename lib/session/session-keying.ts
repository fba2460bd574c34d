import { h16, sha256Hex } from './digest.js';

/** How a session was found, in the order in which the tiers are tried. */
export type SessionTier = 'agent' | 'token_claim' | 'identity';

/** The function that makes a session's id; see `subjectSession`. */
export type SessionKeying = 'cpex' | 'strict';

/** Makes a session's id: the digest of a text with its parts, which are the subject and then the values of the tier. */
export interface Keying {
  textOf(tier: SessionTier, parts: readonly (string | undefined)[]): string;
  digest(text: string): string;
}

export const KEYINGS: Readonly<Record<SessionKeying, Keying>> = Object.freeze({
  /** As CPEX: 64 bits of SHA-256 over the parts, joined by colons, with `-` for a missing part. */
  cpex: { textOf: (_tier, parts) => joined(parts), digest: h16 },

  /** All 256 bits of SHA-256 over the tier and the parts. Each has its length in front, so different parts never join to the same text. */
  strict: { textOf: (tier, parts) => [tier, ...parts].map(withLength).join(''), digest: sha256Hex },
});

/** `5:alice`, with the length in UTF-8 bytes; `-` for a missing part. */
function withLength(part: string | undefined): string {
  return part === undefined ? '-' : `${Buffer.byteLength(part)}:${part}`;
}

/** Does what `map()` and `join()` do. They take many instructions, and this runs for every request. */
function joined(parts: readonly (string | undefined)[]): string {
  let text = parts[0] ?? '-';
  for (let at = 1; at < parts.length; at += 1) text += `:${parts[at] ?? '-'}`;
  return text;
}
