import process from 'node:process';
import type { Request } from 'express';
import type { AplPoliciesSettings } from './apl-policies-options.js';
import type { CompiledPolicies, Entity } from './compiled-policies.js';

/**
 * Notices an app over HTTP whose requests get only the rules of `global`, although the document has rules for tools. Such an app
 * cannot be refused at construction: for an app over MCP the same options are right.
 */
export class RouteUse {
  readonly #name: string;
  /** `decided` if a route was chosen, if the app says itself which tool a request is for, or after the warning. */
  #state: 'waiting' | 'decided';

  constructor({ name, tool }: AplPoliciesSettings) {
    this.#name = name;
    this.#state = tool ? 'decided' : 'waiting';
  }

  /** A guard of the app uses a route of the document. */
  byGuard(): void {
    this.#state = 'decided';
  }

  /** @param entity the request gets its rules; `undefined`: the request gets the rules of `global` */
  chosen(req: Request, policies: CompiledPolicies, entity: Entity | undefined): void {
    if (this.#state === 'decided') return;
    if (entity) {
      // a call of a tool that the document does not have proves nothing
      if (policies.has(entity) || policies.has({ ...entity, scope: undefined })) this.#state = 'decided';
    } else if (policies.hasTools && isOfHttp(req)) this.#warn();
  }

  #warn(): void {
    this.#state = 'decided';
    process.emitWarning(
      `${this.#name}: a request that is no call of MCP got only the rules of 'global'. The document has rules for tools, and no request has got them so far. If tools are routes of this app, write apl(policies, { tool: '...' }) on each of them, or pass the option tool: (req) => ..., which returns the name of the tool. If the app serves tools only over MCP, mount aplPolicies() only on the path of MCP, or pass tool: () => undefined.`,
      { code: 'APL_TOOL_RULES_UNUSED' },
    );
  }
}

/** Whether a request may be for a tool of the app that is a route of HTTP. */
function isOfHttp(req: Request): boolean {
  const { method, headers } = req;
  if (method === 'OPTIONS' || isOfMcp(req.body) || headers['mcp-protocol-version'] !== undefined) return false;
  if (method !== 'GET' && method !== 'HEAD') return true;
  // a client of MCP opens a stream in this way, and health checks have no session
  return !headers.accept?.includes('text/event-stream') && req.security?.sessionId !== undefined;
}

/** Other messages of MCP, such as `initialize`, get the rules of `global`. */
function isOfMcp(body: unknown): boolean {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body];
  return messages.some(
    (message) => typeof message === 'object' && message !== null && Object.hasOwn(message, 'jsonrpc'),
  );
}
