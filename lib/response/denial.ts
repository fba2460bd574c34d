import { type OutgoingHttpHeader, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Violation } from '../contract/security.js';
import type { NodeResponse } from './node-response.js';

/** A response that refuses. */
export interface Denial {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The members of a denial's body: RFC 9457 problem details, with `code` added. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
}

/** The denial for a violation: 403 with problem details, never to be cached. */
export function problemDenial({ code, reason }: Violation): Denial {
  const status = 403;
  const problem: ProblemDetails = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? '',
    status,
    detail: reason,
    code,
  };
  return {
    status,
    headers: { 'Content-Type': 'application/problem+json; charset=utf-8', 'Cache-Control': 'no-store' },
    body: JSON.stringify(problem),
  };
}

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

export type HeaderSnapshot = ReadonlyArray<{ readonly name: string; readonly value: OutgoingHttpHeader }>;

/** Copies the headers that are set at this moment. */
export function snapshotHeaders(res: ServerResponse): HeaderSnapshot {
  return (res as NodeResponse).getRawHeaderNames().map((name) => {
    const value = res.getHeader(name) ?? '';
    return { name, value: Array.isArray(value) ? [...value] : value };
  });
}

/** Answers with a denial. Of all headers, only those of the snapshot stay, with the values they had then. */
export function answerDenial(res: ServerResponse, denial: Denial, snapshot: HeaderSnapshot): void {
  const { sendDate } = res;
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res.sendDate = sendDate; // removing a Date header would have switched it off
  for (const { name, value } of snapshot) {
    if (!REPRESENTATION_HEADERS.has(name.toLowerCase())) res.setHeader(name, value);
  }
  for (const [name, value] of Object.entries(denial.headers)) res.setHeader(name, value);
  res.setHeader('Content-Length', Buffer.byteLength(denial.body));
  res.statusCode = denial.status;
  res.statusMessage = STATUS_CODES[denial.status] ?? '';
  res.end(denial.body);
}
