import { h16, sha256Hex } from './digest.js';

/** How a session was found; the tiers in the order in which they are tried. */
export type SessionTier = 'agent' | 'token_claim' | 'identity';

/** How the parts of a session become its id. */
export type SessionKeying = 'cpex' | 'strict';

/** Makes the id of a session from its tier and its parts: the subject, then what the tier adds to it. */
export type KeyOf = (tier: SessionTier, parts: readonly (string | undefined)[]) => string;

export const KEYINGS: Readonly<Record<SessionKeying, KeyOf>> = Object.freeze({
  /** CPEX's: 64 bits of SHA-256 over the parts with colons between them, `-` for a part that is missing. */
  cpex: (_tier, parts) => h16(parts.map((part) => part ?? '-').join(':')),

  /** All of SHA-256 over the tier and the parts, each with its length in front, so that no two inputs look the same. */
  strict: (tier, parts) => sha256Hex([tier, ...parts].map(withLength).join('')),
});

/** `5:alice`, the length in bytes of UTF-8; `-` for a part that is missing. */
function withLength(part: string | undefined): string {
  return part === undefined ? '-' : `${Buffer.byteLength(part)}:${part}`;
}
