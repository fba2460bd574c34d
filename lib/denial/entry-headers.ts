import type { ServerResponse } from 'node:http';
import type { ResponseHeader } from '../node/response-headers.js';

export type HeaderSnapshot = readonly ResponseHeader[];

/** Headers that describe one body or its framing. A denial has another body, so it must not have them. */
const REPRESENTATION_HEADERS = new Set([
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'trailer',
  'transfer-encoding',
]);

/**
 * Sets the headers back to the snapshot, without those that describe a body. `Connection: close` stays: a server that shuts down
 * sets it to end its connections.
 */
export function restoreHeaders(res: ServerResponse, snapshot: HeaderSnapshot): void {
  const { sendDate } = res;
  const closes = /\bclose\b/i.test(String(res.getHeader('Connection') ?? ''));
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res.sendDate = sendDate; // removeHeader('Date') sets it to false
  for (const { name, value } of snapshot) {
    if (!REPRESENTATION_HEADERS.has(name.toLowerCase())) res.setHeader(name, value);
  }
  if (closes) res.setHeader('Connection', 'close');
}
