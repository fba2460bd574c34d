import { h16, sha256Hex } from './digest.js';

/** How a session was found, in the order in which the tiers are tried. */
export type SessionTier = 'agent' | 'token_claim' | 'identity';

/** The function that makes a session's id; see `subjectSession`. */
export type SessionKeying = 'cpex' | 'strict';

/** Makes a session's id from its tier and its parts: the subject, then the values of the tier. */
export type KeyOf = (tier: SessionTier, parts: readonly (string | undefined)[]) => string;

export const KEYINGS: Readonly<Record<SessionKeying, KeyOf>> = Object.freeze({
  /** As CPEX: 64 bits of SHA-256 over the parts, joined by colons, with `-` for a missing part. */
  cpex: (_tier, parts) => h16(parts.map((part) => part ?? '-').join(':')),

  /** All 256 bits of SHA-256 over the tier and the parts. Each has its length in front, so different parts never join to the same text. */
  strict: (tier, parts) => sha256Hex([tier, ...parts].map(withLength).join('')),
});

/** `5:alice`, with the length in UTF-8 bytes; `-` for a missing part. */
function withLength(part: string | undefined): string {
  return part === undefined ? '-' : `${Buffer.byteLength(part)}:${part}`;
}
