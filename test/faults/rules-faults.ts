import type { Fault } from './gate-faults.js';

const keeper = 'lib/middleware/response-keeper.ts';
const run = 'lib/apl-guards/section-run.ts';
const guarded = 'lib/apl-guards/guarded-request.ts';
const response = 'lib/apl-guards/response-rules.ts';
const collected = 'lib/apl-guards/collected-body.ts';
const facts = 'lib/apl-guards/request-facts.ts';
const call = 'lib/apl-guards/mcp-call.ts';

/** What the tests of rules in Express must notice, each on its own. */
export const RULES_FAULTS: readonly Fault[] = [
  {
    name: 'rules: a response that leaves without its review',
    file: keeper,
    from: 'return this.#reviews?.isRunning === true || (this.#isReviewDue && hasHead(this.#exchange.res));',
    to: 'return false;',
  },
  {
    name: 'rules: a review that another request of the session ends',
    file: keeper,
    from: 'return this.#reviews?.isRunning === true || (',
    to: 'return (',
  },
  {
    name: 'rules: an interim response that takes the place of the review',
    file: keeper,
    from: 'if (this.#isReviewDue) this.close();\n    else this.#gate?.reconsider();',
    to: 'this.#gate?.reconsider();',
  },
  {
    name: "rules: a rule that replaces the app's own denial",
    file: keeper,
    from: "if (refusal && this.#state === 'answer') {",
    to: 'if (refusal) {',
  },
  {
    name: 'rules: no review of a response whose client has left',
    file: keeper,
    from: 'onResponseClose(res, () => this.#reviewClosed());',
    to: '',
  },
  {
    name: 'rules: a review of a response that has begun',
    file: response,
    from: 'if (res.headersSent) return',
    to: 'if (false) return',
  },
  {
    name: 'rules: labels that are lost when a rule denies',
    file: run,
    from: 'addLabels(guarded, decision.taints);',
    to: "if (decision.decision === 'allow') addLabels(guarded, decision.taints);",
  },
  {
    name: 'rules: a handler that runs before labels are stored',
    file: run,
    from: "if (!decision.taints.some(([, scopes]) => scopes.includes('session'))) return undefined;",
    to: 'return undefined;',
  },
  {
    name: 'rules: labels that change while rules run',
    file: run,
    from: 'new Set(labelsIn(request.labels))',
    to: 'request.labels',
  },
  {
    name: 'rules: arguments that the handler changes for the rules of the response',
    file: run,
    from: "hasPost && post.hasBelow('args.') ? structuredClone(value) : value",
    to: 'value',
  },
  {
    name: 'rules: a plugin that changes arguments without consent',
    file: run,
    from: 'if (!settings.transformArgs) {',
    to: 'if (false) {',
  },
  {
    name: 'rules: a task whose result no rule sees',
    file: run,
    from: 'section.needsResult && this.#call?.isTask',
    to: 'false',
  },
  {
    name: 'rules: a failure of the store that only an observer sees',
    file: guarded,
    from: '!this.isObserving || isStoreFailure(violation)',
    to: '!this.isObserving',
  },
  {
    name: 'rules: texts of attributes in an alarm',
    file: guarded,
    from: 'hidden: this.secrets(), ',
    to: '',
  },
  {
    name: 'rules: a part of a file that leaves',
    file: response,
    from: 'if (head.status === PARTIAL_CONTENT)',
    to: 'if (false)',
  },
  {
    name: 'rules: headers that are set after the body was checked',
    file: response,
    from: 'refusal ?? this.#reviewAgain(head)',
    to: 'refusal',
  },
  {
    name: 'rules: a plain body that looks like a call',
    file: run,
    from: 'if (this.#call && !settings.args)',
    to: 'if (false)',
  },
  {
    name: 'rules: a result that leaves unseen',
    file: response,
    from: 'run.section.needsResult && head?.hasBody',
    to: 'false',
  },
  {
    name: 'rules: a field in a list that leaves unchanged',
    file: response,
    from: "isHidden(visible.value, 'result', names)",
    to: 'false',
  },
  {
    name: 'rules: an observer that changes results',
    file: response,
    from: ' || run.isObserving) return refusal;',
    to: ') return refusal;',
  },
  {
    name: 'rules: a plugin that changes a result too late',
    file: response,
    from: 'else if (!refusal) throw',
    to: 'else if (false) throw',
  },
  {
    name: 'rules: an ETag of the unchanged result',
    file: collected,
    from: "'Trailer', 'ETag',",
    to: "'Trailer',",
  },
  {
    name: 'rules: a header section that is kept after Node has asked for it',
    file: collected,
    from: '!given || this.#isOver ||',
    to: '!given ||',
  },
  {
    name: 'rules: pieces that change after write()',
    file: collected,
    from: ': Buffer.from(chunk);',
    to: ': (chunk as Buffer);',
  },
  {
    name: 'rules: another text beside the result of a tool',
    file: 'lib/apl-guards/visible-result.ts',
    from: ' || !parsed.every((copy) => isDeepStrictEqual(copy, value))',
    to: '',
  },
  {
    name: 'rules: a call with another member',
    file: call,
    from: ' || hasOtherKeys',
    to: '',
  },
  {
    name: 'rules: a batch that nobody looks into',
    file: call,
    from: 'if (!body.some((message) => METHODS.has(methodOf(message)))) return undefined;',
    to: 'return undefined;',
  },
  {
    name: 'rules: a body that only the server reads',
    file: 'lib/apl-guards/choose-section.ts',
    from: 'policies.hasEntities && !isBodyRead(req)',
    to: 'false',
  },
  {
    name: 'rules: a host that is not in the option hosts is accepted',
    file: facts,
    from: 'if (hosts.includes(host)) return host;',
    to: 'return host;',
  },
  {
    name: 'rules: attributes with any name',
    file: facts,
    from: 'if (!isOwn && !SUBJECT.some((pattern) => fits(name, pattern))) {',
    to: 'if (false) {',
  },
  {
    name: 'rules: a rule on an attribute that nothing sets',
    file: 'lib/apl-guards/request-section.ts',
    from: 'if (reads.hasBelow(prefix) && !has(options)) throw',
    to: 'if (false) throw',
  },
];
