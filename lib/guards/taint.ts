import type { RequestHandler } from 'express';
import Joi from 'joi';
import { PERSIST_FAILED } from '../denial/violations.js';
import { guard, type Rule } from './guard.js';
import { type GuardOptions, parseGuardOptions } from './guard-options.js';
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
  return guard(settings, settings.scope === 'message' ? addForMessage(labels) : persistFirst(labels));
}

function addForMessage(labels: Labels): Rule {
  return (_req, request) => {
    for (const label of labels) request.labels.addForMessage(label);
    return undefined;
  };
}

function persistFirst(labels: Labels): Rule {
  return async (_req, request) => {
    for (const label of labels) request.labels.add(label);
    // add() reports new labels only, and a guard that adds a known label relies on the session as well
    request.reliesOnSession();
    return request.persist().then(
      () => undefined,
      () => PERSIST_FAILED,
    );
  };
}
