import type { EntityType } from '../apl/document-layers.js';
import { AplSessionError } from '../contract/errors.js';
import { PolicyViolation } from '../denial/policy-violation.js';
import { isPlainObject } from '../options/plain-object.js';

/** A call of MCP that a document may have rules for. */
export interface McpCall {
  readonly type: EntityType;
  readonly name: string;
  /** `undefined` if it is absent in the call. */
  readonly args: unknown;
  /** Whether the result will be fetched by another request: a task of MCP 2025-11-25. */
  readonly isTask: boolean;
  /** The same message with other arguments. */
  withArgs(args: unknown): unknown;
}

/** The methods with rules, and the parameter that names their entity. */
const METHODS: ReadonlyMap<unknown, readonly [type: EntityType, parameter: string]> = new Map([
  ['tools/call', ['tool', 'name']],
  ['prompts/get', ['prompt', 'name']],
  ['resources/read', ['resource', 'uri']],
] as const);

/** The members of a message. A call has no others. */
export const MESSAGE_KEYS: readonly string[] = ['jsonrpc', 'id', 'method', 'params'];

/**
 * The call in a body that was parsed; `undefined` for any other body.
 *
 * A body that is almost a call is refused: a server that reads it in another way than this function could execute a call whose
 * rules were not evaluated.
 * @throws AplSessionError `policy.error` for a malformed call; PolicyViolation `mcp.batch_refused` for a batch with a call
 */
export function mcpCallOf(body: unknown): McpCall | undefined {
  if (Array.isArray(body)) {
    if (!body.some((message) => METHODS.has(methodOf(message)))) return undefined;
    throw new PolicyViolation({ code: 'mcp.batch_refused', reason: 'send each call in a request of its own' });
  }
  const [type, parameter] = METHODS.get(methodOf(body)) ?? [];
  if (type === undefined || parameter === undefined) return undefined;
  const message = body as Readonly<Record<string, unknown>>;
  const { jsonrpc, params } = message;
  const hasOtherKeys = Object.keys(message).some((key) => !MESSAGE_KEYS.includes(key));
  if (jsonrpc !== '2.0' || hasOtherKeys || !isPlainObject(params)) throw malformed();
  const name = Object.hasOwn(params, parameter) ? params[parameter] : undefined;
  if (typeof name !== 'string' || name === '') throw malformed();
  return {
    type,
    name,
    args: Object.hasOwn(params, 'arguments') ? params['arguments'] : undefined,
    isTask: Object.hasOwn(params, 'task'),
    withArgs: (args) => ({ ...message, params: { ...params, arguments: args } }),
  };
}

function methodOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && Object.hasOwn(message, 'method')
    ? (message as { method: unknown }).method
    : undefined;
}

function malformed(): AplSessionError {
  return new AplSessionError('policy.error', 'The body is a malformed call of MCP, so its rules cannot be chosen.');
}
