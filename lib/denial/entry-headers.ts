import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { NodeResponse } from '../node/node-response.js';

export type HeaderSnapshot = ReadonlyArray<{ readonly name: string; readonly value: OutgoingHttpHeader }>;

/** Headers that describe a body, or how it is sent; they never survive the body that they were set for. */
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

/** Copies the headers that are set at this moment. */
export function snapshotHeaders(res: ServerResponse): HeaderSnapshot {
  return (res as NodeResponse).getRawHeaderNames().map((name) => {
    const value = res.getHeader(name) ?? '';
    return { name, value: Array.isArray(value) ? [...value] : value };
  });
}

/**
 * Of all headers, only those of the snapshot stay that do not describe a body, with the values they had then; and a
 * `Connection: close`, by which a server that shuts down ends its connections.
 */
export function restoreHeaders(res: ServerResponse, snapshot: HeaderSnapshot): void {
  const { sendDate } = res;
  const closes = /\bclose\b/i.test(String(res.getHeader('Connection') ?? ''));
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res.sendDate = sendDate; // removing a Date header would have switched it off
  for (const { name, value } of snapshot) {
    if (!REPRESENTATION_HEADERS.has(name.toLowerCase())) res.setHeader(name, value);
  }
  if (closes) res.setHeader('Connection', 'close');
}
