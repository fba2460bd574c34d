import Joi from 'joi';
import { parseOptions } from '../options/parse-options.js';
import { checkCases, closeCases, limitCases, memberCases, outageCases, ttlCases } from './contract-abilities.js';
import type { SessionStoreContractOptions } from './contract-options.js';
import { originCases, provenanceCases } from './contract-provenance.js';
import { backendCallCases, requiredCases } from './contract-rules.js';
import { type CaseDefinition, ContractRun } from './contract-run.js';

/** One test of a store. Pass both members to `it` or `test` of your test runner. */
export interface StoreContractCase {
  readonly title: string;
  /** Rejects with an `AssertionError` of `node:assert` if the store breaks the rule. Takes no arguments. */
  readonly run: () => Promise<void>;
}

const schema = Joi.object<SessionStoreContractOptions>({
  open: Joi.function().required(),
  singleProcess: Joi.boolean(),
  countBackendCalls: Joi.function(),
  outage: Joi.object({ start: Joi.function().required(), end: Joi.function().required() }).unknown(),
  ttl: Joi.object({ open: Joi.function().required(), elapse: Joi.function() }).unknown(),
  limit: Joi.boolean(),
  close: Joi.boolean(),
  check: Joi.boolean(),
  provenance: Joi.boolean(),
});

/**
 * Returns the tests that every `SessionStore` must pass, as a list for any test runner. The store must be able to keep 1,000
 * labels in a session.
 *
 * @example
 * import { sessionStoreContract } from 'express-apl-session/testing';
 * const cases = sessionStoreContract({
 *   open: () => new MemorySessionStore(), singleProcess: true, close: true, limit: true,
 * });
 * for (const { title, run } of cases) it(title, run);
 *
 * @throws AplSessionError `config.invalid` for invalid options
 */
export function sessionStoreContract(options: SessionStoreContractOptions): readonly StoreContractCase[] {
  // the parsed copy is not used: the objects of the caller must keep their identity
  parseOptions('sessionStoreContract', schema, options);
  const definitions: readonly CaseDefinition[] = [
    ...requiredCases,
    ...originCases,
    ...memberCases(options),
    ...(options.countBackendCalls ? backendCallCases(options.countBackendCalls.bind(options)) : []),
    ...(options.limit ? limitCases : []),
    ...(options.ttl ? ttlCases(options.ttl) : []),
    ...(options.outage ? outageCases(options.outage, options.check === true) : []),
    ...(options.check ? checkCases : []),
    ...(options.provenance ? provenanceCases : []),
    ...(options.close ? closeCases : []),
  ];
  return definitions.map(({ title, body }) => ({ title, run: () => ContractRun.of(options, body) }));
}
