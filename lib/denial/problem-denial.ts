import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Request } from 'express';
import type { DenialDetails } from './denial-instance.js';

/** The default body of a denial: RFC 9457 problem details, and `code`. `instance` is the id of this denial. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
}

/** Sends the default denial: problem details, or a short page to a client that prefers HTML. */
export function sendProblem(denial: DenialDetails, req: IncomingMessage, res: ServerResponse): void {
  const title = STATUS_CODES[res.statusCode] ?? '';
  if (prefersHtml(req)) {
    res.setHeader('Content-Security-Policy', "default-src 'none'");
    res.setHeader('X-Content-Type-Options', 'nosniff');
    send(res, 'text/html; charset=utf-8', pageOf(title, denial));
    return;
  }
  const problem: ProblemDetails = {
    type: 'about:blank',
    title,
    status: res.statusCode,
    detail: denial.reason,
    instance: denial.instance,
    code: denial.code,
  };
  send(res, 'application/problem+json; charset=utf-8', JSON.stringify(problem));
}

function send(res: ServerResponse, type: string, body: string): void {
  res.statusMessage = STATUS_CODES[res.statusCode] ?? '';
  res.setHeader('Content-Type', type);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

/** Whether `Accept` names HTML and does not prefer JSON. */
function prefersHtml(req: IncomingMessage): boolean {
  if (!req.headers.accept?.includes('html') || typeof (req as Request).accepts !== 'function') return false;
  return (req as Request).accepts(['application/problem+json', 'application/json', 'text/html']) === 'text/html';
}

function pageOf(title: string, { reason, code, instance }: DenialDetails): string {
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>${escaped(title)}</title></head>
<body><h1>${escaped(title)}</h1><p>${escaped(reason)}</p><p><code>${escaped(code)}</code></p><p>${instance}</p></body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
