import type { Request, RequestHandler } from 'express';
import Joi from 'joi';
import { PERSIST_FAILED } from '../denial/violations.js';
import { requiredRequest } from './guard.js';
import { type GuardOptions, type GuardSettings, parseGuardOptions } from './guard-options.js';
import { assertLabels, type Labels } from './label-condition.js';

export interface TaintOptions extends GuardOptions {
  /**
   * `session` (the default): the labels are persisted. `message`: they are seen by whatever comes later in this request,
   * and are gone with it.
   */
  readonly scope?: 'session' | 'message';
}

const OPTIONS = { scope: Joi.string().valid('session', 'message').default('session') };

/**
 * A guard that adds labels before the handler runs.
 *
 * With session scope they are persisted first (write-ahead); if that fails, the handler does not run and the answer is
 * 403 `session.persist_failed`. With message scope they are never persisted, unless the same label is added to the
 * session as well, before or after.
 *
 * @throws AplSessionError `label.invalid` or `config.invalid` at construction; `middleware.missing` goes to Express's
 * error handling
 */
export function taint(...labels: Labels): RequestHandler;
export function taint(...labelsAndOptions: readonly [...Labels, TaintOptions]): RequestHandler;
export function taint(...given: ReadonlyArray<string | TaintOptions>): RequestHandler {
  const last = given.at(-1);
  const hasOptions = typeof last === 'object' && last !== null && !Array.isArray(last);
  const settings = parseGuardOptions('taint', hasOptions ? last : {}, OPTIONS);
  const labels = assertLabels(hasOptions ? given.slice(0, -1) : given);
  if (settings.scope === 'message') {
    return (req, _res, next) => {
      const request = requiredRequest(req, settings.name);
      for (const label of labels) request.labels.addForMessage(label);
      next();
    };
  }
  return (req, _res, next) => {
    taintSession(req, settings, labels).then((saved) => saved && next(), next);
  };
}

async function taintSession(
  req: Request,
  { name, denial }: GuardSettings,
  labels: readonly string[],
): Promise<boolean> {
  const request = requiredRequest(req, name);
  for (const label of labels) request.labels.add(label);
  // labels that it has already are not new, and the session is relied on all the same
  request.reliesOnSession();
  try {
    await request.persist();
    return true;
  } catch {
    request.deny(PERSIST_FAILED, denial);
    return false;
  }
}
