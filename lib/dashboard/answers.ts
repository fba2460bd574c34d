import type { Response } from 'express';

/** The browser loads nothing from elsewhere, runs no inline code, and shows the page in no frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  // compression would keep events back, and no-transform forbids it
  'Cache-Control': 'no-store, no-transform',
};

/** Sets the status and the headers that every answer of the dashboard has. */
export function begin(res: Response, status: number, type: string): void {
  res.statusCode = status;
  for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value);
  res.setHeader('Content-Type', `${type}; charset=utf-8`);
}

export function answer(res: Response, status: number, text: string, type = 'text/plain'): void {
  begin(res, status, type);
  // Node leaves out the body of an answer to HEAD
  res.end(text);
}
