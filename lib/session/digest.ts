import { hash } from 'node:crypto';

/** SHA-256 over the UTF-8 bytes of `text`, 64 lower-case hex characters. */
export function sha256Hex(text: string): string {
  return hash('sha256', text, 'hex');
}

/** CPEX's `h16`: the first 8 bytes of SHA-256, 16 lower-case hex characters. */
export function h16(text: string): string {
  return sha256Hex(text).slice(0, 16);
}
