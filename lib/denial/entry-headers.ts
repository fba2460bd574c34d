import { type OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { NodeResponse } from '../node/node-response.js';

const { getHeader, getRawHeaderNames } = ServerResponse.prototype as NodeResponse;

export type HeaderSnapshot = ReadonlyArray<{ readonly name: string; readonly value: OutgoingHttpHeader }>;

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

export function snapshotHeaders(res: ServerResponse): HeaderSnapshot {
  return getRawHeaderNames.call(res).map((name) => {
    const value = getHeader.call(res, name) ?? '';
    return { name, value: Array.isArray(value) ? [...value] : value };
  });
}

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
