import type { RequestHandler } from 'express';
import { AplSessionError } from '../contract/errors.js';
import type { Violation } from '../contract/security.js';
import { toViolation } from '../denial/violations.js';
import { assertLabel } from '../labels/label.js';
import { labelsIn } from '../labels/label-set.js';
import { assertCalled } from '../options/assert-called.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { decidingGuard } from './guard.js';
import { ENFORCE, type GuardOptions, parseGuardOptions } from './guard-options.js';

/**
 * A guard that denies a request if its session has a label that is not in the list. So a new label denies until you add it to
 * the list. An empty list accepts only sessions without labels.
 *
 * @example
 * const violation = { code: 'not_cleared', reason: 'this tool is not cleared for what the session has read' };
 * app.post('/translate', allowOnly(['public', 'internal'], violation), (_req, res) => {
 *   res.json({ translated: true });
 * });
 *
 * @throws AplSessionError `label.invalid`, `violation.invalid` or `config.invalid` at construction; `middleware.missing`
 * goes to Express's error handling
 */
export function allowOnly(labels: readonly string[], violation: Violation, options?: GuardOptions): RequestHandler {
  assertCalled('allowOnly', labels, "app.post('/path', allowOnly(['public'], { code, reason }), handler)");
  const settings = parseGuardOptions('allowOnly', options, ENFORCE);
  if (!Array.isArray(labels)) {
    throw new AplSessionError(
      'config.invalid',
      `${settings.name}: the labels must be a list; got ${kindOfValue(labels)}. Write allowOnly(['public'], { code, reason }).`,
    );
  }
  const allowed = new Set<string>();
  for (const label of labels) {
    assertLabel(label);
    allowed.add(label);
  }
  const checked = toViolation(violation);
  return decidingGuard(settings, (_req, request) => {
    for (const label of labelsIn(request.labels)) if (!allowed.has(label)) return checked;
    return undefined;
  });
}
