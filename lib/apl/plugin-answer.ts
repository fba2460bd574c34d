import { AplSessionError } from '../contract/errors.js';
import { isPlainObject } from '../options/plain-object.js';
import type { Taint } from './decision.js';

/** The decision of a plugin. */
export type PluginVerdict =
  | { readonly taints: readonly Taint[]; readonly value: { readonly replacement: unknown } | undefined }
  | { readonly taints: readonly Taint[]; readonly code: string; readonly reason: string; readonly cause?: unknown };

/** @throws AplSessionError `policy.error` for an answer of another form */
export function checkedAnswer(answer: unknown): PluginVerdict {
  if (isPlainObject(answer)) {
    const { allow, code, reason, taints = [] } = answer;
    if (!isTaintList(taints)) throw wrong('taints must be a list of [label, scopes]');
    if (isViolation(allow, code, reason)) return { code: code as string, reason: reason as string, taints };
    if (allow === true && code === undefined && reason === undefined) {
      return { taints, value: Object.hasOwn(answer, 'value') ? { replacement: answer['value'] } : undefined };
    }
  }
  throw wrong('the answer must be { allow: true } or a violation { code, reason }');
}

/** Whether the object has the members of a violation. */
export function isViolation(allow: unknown, code: unknown, reason: unknown): boolean {
  return allow === undefined && typeof code === 'string' && code !== '' && typeof reason === 'string' && reason !== '';
}

function isTaintList(value: unknown): value is readonly Taint[] {
  const isScope = (scope: unknown) => scope === 'session' || scope === 'message';
  return (
    Array.isArray(value) &&
    value.every(
      (taint) =>
        Array.isArray(taint) && typeof taint[0] === 'string' && Array.isArray(taint[1]) && taint[1].every(isScope),
    )
  );
}

function wrong(problem: string): AplSessionError {
  return new AplSessionError('policy.error', `A plugin has answered wrongly: ${problem}.`);
}
