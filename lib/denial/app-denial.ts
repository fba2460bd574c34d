import type { Violation } from '../contract/security.js';

/**
 * G3, "an earlier denial wins": whether a response of the app is a denial, which leaves as it is even if labels could not be
 * stored.
 * @param status the status in the rendered header section; `undefined` before that
 * @param violation the violation that was recorded for the request
 */
export function isAppDenial(status: number | undefined, violation: Violation | undefined): boolean {
  if (status === undefined) return false;
  return status === 401 || status === 403 || (violation !== undefined && status >= 400);
}
