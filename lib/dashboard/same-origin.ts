import type { Request } from 'express';

/**
 * Whether a page of the same origin has made the request. Browsers send `Sec-Fetch-Site` over HTTPS and to localhost; elsewhere,
 * and for a request that is not made by a page, `Origin` must be absent or name the host.
 */
export function isSameOrigin(req: Request): boolean {
  const site = req.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = req.get('origin');
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === req.get('host');
}
