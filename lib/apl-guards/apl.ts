import type { RequestHandler } from 'express';
import Joi from 'joi';
import { ENTITY_TYPES } from '../apl/document-layers.js';
import { type GuardOptions, parseGuardOptions } from '../guards/guard-options.js';
import { assertCalled } from '../options/assert-called.js';
import { invalidConfig } from '../options/invalid-config.js';
import { type AplOptions, parseAplOptions } from './apl-options.js';
import { type AplPolicies, type PoliciesCore, policiesCore } from './apl-policies.js';
import type { Entity } from './compiled-policies.js';
import { mcpCallOf } from './mcp-call.js';
import { routeSection } from './route-section.js';
import { rulesHandler } from './rules-handler.js';

/** Which route of a document a guard runs, and the options of the guard itself. All other options come from `aplPolicies()`. */
export interface AplRouteOptions extends GuardOptions {
  /** Exactly one of `tool`, `resource`, `prompt` and `llm`: the name of a route of the document. */
  readonly tool?: string;
  readonly resource?: string;
  readonly prompt?: string;
  readonly llm?: string;
  /** The `meta.scope` of the route. */
  readonly scope?: string;
}

/**
 * A guard that runs rules of APL. The rules for the response (`post_invocation`, `result`) run before its first byte leaves.
 *
 * @param rules a list of rules for `pre_invocation`; a section with `pre_invocation`, `post_invocation`, `args`, `result` and
 * `response`; or the text of one of these in YAML (with the package `yaml`) or JSON. Or policies, to run one route of their
 * document
 *
 * @example
 * app.get('/salaries', apl(['taint(secret)']), (_req, res) => res.json({ engineer: 98_000 }));
 * const rule = `security.labels contains "secret": deny('session touched secret data', 'session_tainted')`;
 * app.post('/mail', apl([rule]), (_req, res) => res.json({ sent: true }));
 *
 * @throws PolicyDocumentError `policy.invalid_document` at construction
 * @throws AplSessionError `config.invalid` at construction; `middleware.missing` goes to Express's error handling
 */
export function apl(policies: AplPolicies, options: AplRouteOptions): RequestHandler;
export function apl(rules: unknown, options?: AplOptions): RequestHandler;
export function apl(rules: unknown, options?: AplOptions | AplRouteOptions): RequestHandler {
  assertCalled('apl', rules, "app.post('/path', apl(rules), handler)");
  const core = policiesCore(rules);
  if (core) return routeOfPolicies(core, options as AplRouteOptions);
  const settings = parseAplOptions('apl', options as AplOptions | undefined);
  const section = routeSection(rules, settings);
  return rulesHandler(settings, (req) => ({ section, call: mcpCallOf(req.body), plain: section }));
}

const name = Joi.string();
const enforce = Joi.valid('deny', 'observe');
const routeOptions = { enforce, tool: name, resource: name, prompt: name, llm: name, scope: name };

function routeOfPolicies(core: PoliciesCore, options: AplRouteOptions): RequestHandler {
  const { scope, ...parsed } = parseGuardOptions('apl', options, routeOptions);
  const [type, ...others] = ENTITY_TYPES.filter((entity) => parsed[entity] !== undefined);
  if (!type || others.length > 0) {
    throw invalidConfig(parsed.name, 'name one route of the policies: apl(policies, { tool: ... })');
  }
  const entity: Entity = { type, name: parsed[type] as string, scope };
  core.require(entity);
  const settings = {
    ...core.settings,
    name: parsed.name,
    enforce: parsed.enforce ?? core.settings.enforce,
    denial: parsed.denial ?? core.settings.denial,
  };
  return rulesHandler(settings, (req) => {
    const section = core.current().sectionFor(entity);
    return { section, call: mcpCallOf(req.body), plain: section };
  });
}
