import { isDeepStrictEqual } from 'node:util';
import { isPlainObject } from '../options/plain-object.js';

/** The part of a JSON body that rules read as `result.*`. */
export interface VisibleResult {
  readonly value: object;
  /** The body with another result. */
  replacedBy(result: unknown): unknown;
}

/** `'none'` if the body has no result; `undefined` if rules cannot see all of it. */
export function resultOfBody(body: unknown, isMcp: boolean): VisibleResult | 'none' | undefined {
  if (!isPlainObject(body)) return undefined;
  if (!isMcp) return { value: body, replacedBy: (result) => result };
  if (body['jsonrpc'] !== '2.0') return undefined;
  // an error of the server has no result; the error of a tool is a result
  if (!Object.hasOwn(body, 'result')) return Object.hasOwn(body, 'error') ? 'none' : undefined;
  const result = body['result'];
  const visible = isPlainObject(result) ? toolResult(result) : undefined;
  return (
    visible && { value: visible.value, replacedBy: (changed) => ({ ...body, result: visible.replacedBy(changed) }) }
  );
}

/** The members of a tool's result. `_meta` is for the protocol, and no part of the result that rules read. */
const RESULT_MEMBERS: readonly string[] = ['content', 'structuredContent', 'isError', '_meta'];

/**
 * The structured content of a result; else the JSON in its only text. A text that repeats the structured content is changed
 * together with it. Any other content could hold what a rule must change, so the result is not visible then.
 */
function toolResult(result: Readonly<Record<string, unknown>>): VisibleResult | undefined {
  const { content = [], structuredContent } = result;
  if (!Array.isArray(content) || !Object.keys(result).every((key) => RESULT_MEMBERS.includes(key))) return undefined;
  const parsed = content.map(jsonOfText);
  const value = structuredContent ?? (content.length === 1 ? parsed[0] : undefined);
  if (!isPlainObject(value) || !parsed.every((copy) => isDeepStrictEqual(copy, value))) return undefined;
  return {
    value,
    replacedBy: (changed) => ({
      ...result,
      ...(result['content'] !== undefined && {
        content: content.map((block) => ({ ...block, text: JSON.stringify(changed) })),
      }),
      ...(structuredContent !== undefined && { structuredContent: changed }),
    }),
  };
}

function jsonOfText(block: unknown): unknown {
  if (!isPlainObject(block) || block['type'] !== 'text' || typeof block['text'] !== 'string') return undefined;
  try {
    return JSON.parse(block['text']) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Whether the path to a field leads through an array, or a part of it is one key with a dot. No chain finds the field there.
 * @param names attributes below `prefix`, for example `result.user.ssn`
 */
export function isHidden(value: unknown, prefix: 'args' | 'result', names: readonly string[]): boolean {
  return names.some((name) => {
    if (!name.startsWith(`${prefix}.`)) return false;
    let current = value;
    const parts = name.split('.').slice(1);
    for (const [at, part] of parts.slice(0, -1).entries()) {
      if (typeof current !== 'object' || current === null) return false;
      if (hasDottedKey(current, parts.slice(at))) return true;
      if (!Object.hasOwn(current, part)) return false;
      current = (current as Record<string, unknown>)[part];
      if (Array.isArray(current)) return true;
    }
    return false;
  });
}

function hasDottedKey(value: object, parts: readonly string[]): boolean {
  return parts.some((_, at) => at > 0 && Object.hasOwn(value, parts.slice(0, at + 1).join('.')));
}
