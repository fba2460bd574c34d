import type { Request } from 'express';
import { AplSessionError } from '../contract/errors.js';
import { kindOfValue } from '../options/kind-of-value.js';
import { type MaybePromise, whenSettled } from '../util/maybe-promise.js';
import type { AplPoliciesSettings, NameAccessor } from './apl-policies-options.js';
import type { CompiledPolicies, Entity } from './compiled-policies.js';
import { type McpCall, mcpCallOf } from './mcp-call.js';
import { isBodyRead } from './request-args.js';
import type { RouteUse } from './route-use.js';
import type { Chosen } from './section-run.js';

/**
 * Chooses the rules for a request: the rules of the tool or the model that the options name, else the rules of the call of MCP
 * in its body, else the rules of `global`.
 * @throws AplSessionError `policy.error`, or what an option throws
 */
export function chooseSection(
  req: Request,
  policies: CompiledPolicies,
  settings: AplPoliciesSettings,
  use: RouteUse,
): MaybePromise<Chosen> {
  const call = mcpCallOf(req.body);
  return whenSettled(entityOf(req, call, settings), (entity) => {
    if (!entity) {
      if (policies.hasEntities && !isBodyRead(req)) throw unread();
      use.chosen(req, policies, undefined);
      return { section: policies.global, call, plain: policies.global };
    }
    return whenSettled(nameBy(settings.scope, 'scope', req), (scope) => {
      const scoped = { ...entity, scope };
      use.chosen(req, policies, scoped);
      const section = policies.sectionFor(scoped);
      return { section, call, plain: entity === call ? policies.global : section };
    });
  });
}

/** A server that reads the body itself would execute a call without its rules. */
function unread(): AplSessionError {
  return new AplSessionError(
    'policy.error',
    'No body parser has read the body as JSON, so it may be a call. Mount express.json() before aplPolicies(), or mount aplPolicies() only on the paths whose bodies are parsed.',
  );
}

function entityOf(
  req: Request,
  call: McpCall | undefined,
  { tool, llm }: AplPoliciesSettings,
): MaybePromise<Pick<Entity, 'type' | 'name'> | undefined> {
  return whenSettled(nameBy(tool, 'tool', req), (toolName) => {
    if (toolName !== undefined) return { type: 'tool', name: toolName };
    return whenSettled(nameBy(llm, 'llm', req), (model) => (model === undefined ? call : { type: 'llm', name: model }));
  });
}

function nameBy(accessor: NameAccessor | undefined, option: string, req: Request): MaybePromise<string | undefined> {
  return whenSettled(accessor?.(req), (name: unknown) => {
    if (name === undefined || name === null || name === '') return undefined;
    if (typeof name === 'string') return name;
    throw new AplSessionError(
      'policy.error',
      `The option '${option}' must return a string, undefined or null; it returned ${kindOfValue(name)}.`,
    );
  });
}
