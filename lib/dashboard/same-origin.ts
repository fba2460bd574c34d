import type { Request } from 'express';

/**
 * Whether a page of the same origin has made the request. Browsers send `Sec-Fetch-Site` over HTTPS and to localhost; elsewhere
 * `Origin` must name the host.
 */
export function isSameOrigin(req: Request): boolean {
  const site = req.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = req.get('origin');
  // browsers leave it out of a GET to the same origin, and of nothing else
  if (origin === undefined) return req.method === 'GET';
  return URL.canParse(origin) && new URL(origin).host === req.get('host');
}
