import { trimWhiteSpace } from './source-text.js';

// this pattern must stay linear: it reads arguments that a client has sent
const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const NOT_FINITE = /^([+-]?)(?:inf|infinity|(nan))$/i;

/** Reads a number as CPEX does for `<` and `>`. Returns `undefined` for other texts, `0x10`, `1_000` and '' among them. */
export function toNumber(text: string): number | undefined {
  const trimmed = trimWhiteSpace(text);
  if (DECIMAL.test(trimmed)) return Number(trimmed);
  const named = NOT_FINITE.exec(trimmed);
  if (!named) return undefined;
  if (named[2] !== undefined) return Number.NaN;
  return named[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** The text of a number as a part of a key: all digits, without an exponent. */
export function numberText(number: number): string {
  const text = String(number);
  const parts = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!parts) return text;
  const [, sign = '', first = '', rest = '', exponent = '0'] = parts;
  const digits = first + rest;
  const shift = Number(exponent);
  return shift < 0 ? `${sign}0.${'0'.repeat(-shift - 1)}${digits}` : sign + digits.padEnd(shift + 1, '0');
}
