/** The table of CRC-16/XMODEM. */
const REMAINDERS = Uint16Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) remainder = remainder & 0x8000 ? (remainder << 1) ^ 0x1021 : remainder << 1;
  return remainder;
});

/** The slot of a key in a cluster. If the key has a hash tag in `{}`, only the tag is hashed. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let remainder = 0;
  for (const byte of Buffer.from(hashed)) {
    remainder = ((remainder << 8) ^ (REMAINDERS[(remainder >> 8) ^ byte] ?? 0)) & 0xffff;
  }
  return remainder % 16_384;
}
