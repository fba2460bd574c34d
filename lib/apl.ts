export type { ChainOutcome } from './apl/apply-chain.js';
export { KNOWN_ATTRIBUTES } from './apl/attribute-names.js';
export type { Attributes, AttributeValue } from './apl/attributes.js';
export {
  type AsyncOptions,
  type Chain,
  compileChain,
  compilePredicate,
  compileSection,
  type SyncOptions,
} from './apl/compile.js';
export type { Allowed, Decision, Denied, RuleDecision, RuleDenied, Taint, TaintScope } from './apl/decision.js';
export type { DenyResponse } from './apl/deny-response.js';
export {
  type AsyncPolicyDocument,
  compileDocument,
  type DocumentOptions,
  type DocumentSection,
  type PolicyDocument,
} from './apl/document.js';
export type { EntityType } from './apl/document-layers.js';
export type { DecisionAnswer, DecisionCall, DecisionPoint, Plugin, PluginAnswer, PluginCall } from './apl/engines.js';
export { type Explanation, explain } from './apl/explain.js';
export type { LanguageOptions, SectionOptions, TextOptions } from './apl/language-options.js';
export { attributesOfValue } from './apl/payload.js';
export { PolicyDocumentError, type Position } from './apl/policy-document-error.js';
export type { AsyncSection, PartName, Section, SectionInput, SectionPart } from './apl/section.js';
export type { TracedCondition, TraceEvent, TraceListener, TraceOutcome } from './apl/trace.js';
export { type AplRouteOptions, apl } from './apl-guards/apl.js';
export type {
  AplOptions,
  AttributeOptions,
  NamesAccessor,
  RequestDecisionPoint,
  RequestPlugin,
  RuleInput,
} from './apl-guards/apl-options.js';
export { type AplPolicies, aplPolicies } from './apl-guards/apl-policies.js';
export type { AplPoliciesOptions, NameAccessor } from './apl-guards/apl-policies-options.js';
