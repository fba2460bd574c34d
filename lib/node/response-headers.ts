import { IncomingMessage, type OutgoingHttpHeader, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { memberOf } from '../util/member-of.js';
import type { NodeResponse } from './node-response.js';

const { getHeader, getRawHeaderNames } = ServerResponse.prototype as NodeResponse;

/** One header of a response, with its name as it was set. */
export interface ResponseHeader {
  readonly name: string;
  readonly value: OutgoingHttpHeader;
}

/** The headers of a response by their names in lower case. */
type OutHeaders = Record<string, readonly [name: string, value: OutgoingHttpHeader]>;
type WithHeaders = Record<symbol, OutHeaders | null>;

/** The property in which Node keeps the headers of a response; `undefined` if this version of Node does not keep them so. */
const kHeaders = headersSymbol();

/**
 * Copies the headers of a response. Reads them where Node keeps them, because this runs for every request and `getRawHeaderNames()` is
 * slow: it lists the values of an object without a hidden class.
 */
export function copyHeaders(res: ServerResponse): readonly ResponseHeader[] {
  if (kHeaders === undefined)
    return getRawHeaderNames.call(res).map((name) => headerOf(name, getHeader.call(res, name)));
  const headers = memberOf(res as unknown as WithHeaders, kHeaders);
  return headers ? Object.keys(headers).map(copyOf, headers) : NO_HEADERS;
}

export const NO_HEADERS: readonly ResponseHeader[] = Object.freeze([]);

/** Not a function inside of the other, because that would be made for each request. */
function copyOf(this: OutHeaders, key: string): ResponseHeader {
  const [name, value] = this[key] ?? [key, ''];
  return headerOf(name, value);
}

function headerOf(name: string, value: OutgoingHttpHeader | undefined): ResponseHeader {
  // appendHeader() changes the list that Node keeps
  return { name, value: Array.isArray(value) ? [...value] : (value ?? '') };
}

function headersSymbol(): symbol | undefined {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  res.setHeader('X-Probe', 'value');
  const symbol = Object.getOwnPropertySymbols(res).find(({ description }) => description === 'kOutHeaders');
  if (symbol === undefined) return undefined;
  const entry: unknown = (res as unknown as WithHeaders)[symbol]?.['x-probe'];
  return Array.isArray(entry) && entry[0] === 'X-Probe' && entry[1] === 'value' ? symbol : undefined;
}
