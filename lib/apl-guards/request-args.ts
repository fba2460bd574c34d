import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { isPlainObject } from '../options/plain-object.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import type { AplSettings } from './apl-options.js';
import { type McpCall, MESSAGE_KEYS } from './mcp-call.js';

/**
 * The arguments of a request; `undefined` if it has no arguments.
 * @throws AplSessionError `policy.error` for arguments that rules could not read, because they would not apply then
 */
export function argsOf(req: Request, call: McpCall | undefined, { args }: AplSettings): MaybePromise<unknown> {
  if (args) return whenSettled(args(req), (value) => checked(value ?? undefined, "The option 'args'"));
  if (call) return checked(call.args, 'params.arguments');
  const body: unknown = req.body;
  if (!hasBody(req)) return body === undefined ? undefined : checked(body, 'req.body');
  // express.json() of Express 4 sets {} for a body of another type, which it has not read
  if (body !== undefined && req.readableDidRead) return checked(body, 'req.body');
  throw invalid('The rules read args.*, but no body parser has read the body. Mount one, or use the option args');
}

/**
 * Checks that a call of MCP cannot hide fields of a body that is not meant as a call: rules on `args.id` would read the argument
 * `id`, but a handler of plain HTTP reads the `id` of the message.
 * @param names what the rules read if the body is not meant as a call
 * @throws AplSessionError `policy.error`
 */
export function assertUnambiguous(names: readonly string[]): void {
  const isHidden = (name: string) => {
    const [prefix, member] = name.split('.');
    return prefix === 'args' && member !== undefined && (member === '*' || MESSAGE_KEYS.includes(member));
  };
  const hidden = names.find(isHidden);
  if (hidden === undefined) return;
  throw invalid(
    `The body is a call of MCP, and ${hidden} could be a field of the body or an argument of the call. Set the option args to (req) => req.body on a route of plain HTTP, or to (req) => req.body.params.arguments on a server of MCP`,
  );
}

/** Gives the handler other arguments. */
export function replaceArgs(req: Request, call: McpCall | undefined, args: unknown): void {
  req.body = call ? call.withArgs(args) : args;
}

function checked(value: unknown, what: string): unknown {
  if (value === undefined || isPlainObject(value)) return value;
  throw invalid(`${what} must be an object, because rules read its fields as args.*; got ${kindOfValue(value)}`);
}

/**
 * Whether a body parser has read the body of a request, so that it can be seen whether it is a call. True for a request without
 * a body.
 */
export function isBodyRead(req: Request): boolean {
  if (!hasBody(req)) return true;
  const body: unknown = req.body;
  return req.readableDidRead && typeof body === 'object' && body !== null && !(body instanceof Uint8Array);
}

function hasBody({ headers }: Request): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

function invalid(problem: string): AplSessionError {
  return new AplSessionError('policy.error', `${problem}.`);
}
