import type { RequestHandler } from 'express';
import type { EntityType } from '../apl/document-layers.js';
import { assertCalled } from '../options/assert-called.js';
import { invalidConfig } from '../options/invalid-config.js';
import { type AplPoliciesOptions, type AplPoliciesSettings, parseAplPoliciesOptions } from './apl-policies-options.js';
import { chooseSection } from './choose-section.js';
import { type CompiledPolicies, compilePolicies, type Entity } from './compiled-policies.js';
import { RouteUse } from './route-use.js';
import { rulesHandler } from './rules-handler.js';

const kPolicies = Symbol('express-apl-session.policies');

/** Middleware that runs the rules of a document. Its rules can be replaced. */
export interface AplPolicies extends RequestHandler {
  /**
   * Puts another document in place of the current one, for requests that reach this middleware later. Earlier requests keep
   * their rules, also those for their responses.
   * @throws PolicyDocumentError; AplSessionError `config.invalid` if the options do not fit it. The current document then stays
   */
  replace(document: unknown): void;
}

/** What guards of single routes share with the policies. */
export interface PoliciesCore {
  readonly settings: AplPoliciesSettings;
  current(): CompiledPolicies;
  /** Refuses documents without a route for this entity, from now on. */
  require(entity: Entity): void;
}

/**
 * Makes middleware that runs the rules of a document for a whole app. Mount it after `aplSessionMiddleware` and the body parser,
 * before the routes. It chooses the section of each request by `tool`, by the call of MCP in the body, or else takes `global`.
 * It emits the process warning `APL_TOOL_RULES_UNUSED` if a request of HTTP gets only `global`, and the document has rules for
 * tools that no request and no guard has used so far.
 *
 * @param document text in YAML (with the package `yaml`) or JSON, or the object that such text stands for
 *
 * @example
 * const policies = aplPolicies(readFileSync('policies.yaml', 'utf8'), { file: 'policies.yaml', subject: subjectOf });
 * app.use(express.json(), aplSessionMiddleware({ session: subjectSession({ subject: subjectOf }) }), policies);
 *
 * @throws PolicyDocumentError `policy.invalid_document`
 * @throws AplSessionError `config.invalid` for wrong options, or if no option sets an attribute that a rule reads
 */
export function aplPolicies(document: unknown, options?: AplPoliciesOptions): AplPolicies {
  assertCalled('aplPolicies', document, 'app.use(aplPolicies(document))');
  const settings = parseAplPoliciesOptions(options);
  const required: Entity[] = [];
  const compile = (next: unknown): CompiledPolicies => {
    const compiled = compilePolicies(next, settings);
    for (const entity of required) assertRoute(compiled, entity, settings);
    return compiled;
  };
  let current = compile(document);
  const use = new RouteUse(settings);
  const core: PoliciesCore = {
    settings,
    current: () => current,
    require(entity) {
      assertRoute(current, entity, settings);
      required.push(entity);
      use.byGuard();
    },
  };
  const handler = rulesHandler(settings, (req) => chooseSection(req, current, settings, use));
  return Object.assign(handler, {
    [kPolicies]: core,
    replace(next: unknown) {
      current = compile(next);
    },
  });
}

/** `undefined` for a value that is not from `aplPolicies()`. */
export function policiesCore(value: unknown): PoliciesCore | undefined {
  return typeof value === 'function' ? (value as { [kPolicies]?: PoliciesCore })[kPolicies] : undefined;
}

function assertRoute(policies: CompiledPolicies, entity: Entity, { name }: AplPoliciesSettings): void {
  if (policies.has(entity)) return;
  const { type, name: route, scope } = entity as { type: EntityType; name: string; scope: string | undefined };
  const place = scope === undefined ? '' : ` with the scope ${JSON.stringify(scope)}`;
  throw invalidConfig(
    name,
    `the document has no route for ${type} ${JSON.stringify(route)}${place}, which a guard of the app uses. Add the route, or correct the guard`,
  );
}
