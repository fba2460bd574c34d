import type { RequestHandler } from 'express';
import Joi from 'joi';
import { AplSessionError } from '../contract/errors.js';
import { PERSIST_FAILED } from '../denial/violations.js';
import { assertCalled } from '../options/assert-called.js';
import { guard, type Rule } from './guard.js';
import { type GuardOptions, parseGuardOptions } from './guard-options.js';
import { assertLabels, type Labels } from './label-condition.js';

export interface TaintOptions extends Omit<GuardOptions, 'enforce'> {
  /**
   * `session`: the labels are persisted. `message`: the labels last until the end of this request.
   * @default 'session'
   */
  readonly scope?: 'session' | 'message';
}

const OPTIONS = { scope: Joi.string().valid('session', 'message').default('session') };

/**
 * A guard that adds labels before the handler runs.
 *
 * With session scope it persists them first (write-ahead). If that fails, the answer is 403 `session.persist_failed` and the
 * handler does not run. Labels of message scope are not persisted, unless the same label is also added to the session.
 *
 * @example
 * app.get('/salaries', taint('secret'), (_req, res) => res.json({ engineer: 98_000 }));
 *
 * @throws AplSessionError `label.invalid` or `config.invalid` at construction; `middleware.missing` goes to Express's
 * error handling
 */
export function taint(...labels: Labels): RequestHandler;
export function taint(...labelsAndOptions: readonly [...Labels, TaintOptions]): RequestHandler;
export function taint(...given: ReadonlyArray<string | TaintOptions>): RequestHandler {
  const [first] = given;
  assertCalled('taint', first, "app.get('/path', taint('secret'), handler)");
  if (Array.isArray(first)) {
    throw new AplSessionError(
      'label.invalid',
      "taint takes labels one by one, taint('a', 'b'). Spread a list: taint(...labels).",
    );
  }
  const last = given.at(-1);
  const hasOptions = typeof last === 'object' && last !== null && !Array.isArray(last);
  const settings = parseGuardOptions('taint', hasOptions ? last : {}, OPTIONS);
  const labels = assertLabels(hasOptions ? given.slice(0, -1) : given);
  return guard(settings, settings.scope === 'message' ? addForMessage(labels) : persistFirst(labels, settings.name));
}

function addForMessage(labels: Labels): Rule {
  return (_req, request) => {
    for (const label of labels) request.labels.addForMessage(label);
    return undefined;
  };
}

function persistFirst(labels: Labels, name: string): Rule {
  return async (_req, request) => {
    for (const label of labels) request.labels.addBy(label, name);
    // add() reports new labels only, and a guard that adds a known label relies on the session as well
    request.reliesOnSession();
    return request.persist().then(
      () => undefined,
      () => PERSIST_FAILED,
    );
  };
}
