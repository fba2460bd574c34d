/** Characters that have no shape, or that change the direction of a text, could make a label look like another one. */
export function printable(text: string): string {
  return text.replace(/[\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}
