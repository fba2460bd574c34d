/**
 * `npm run bench:apl`: the CPU time of one decision by fifty rules in APL, and by fifty policies that say the same in Cedar
 * and in CEL. The fastest of several rounds, because other programs disturb some.
 */
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { Environment } from '@marcbachmann/cel-js';
import { compileDocument } from '../../lib/apl.js';
import { ATTRIBUTES, FIFTY_RULES } from './fifty-rules.js';

const ROUNDS = 8;

function apl(): () => boolean {
  const { global } = compileDocument({ global: { pre_invocation: FIFTY_RULES } });
  return () => global.evaluate(ATTRIBUTES).decision === 'allow';
}

const BLOCKS = FIFTY_RULES.length / 5;

/** Cedar has no numbers in strings, so the amount is a number there and in CEL. */
const CONTEXT = { labels: ['secret', 'PII'], roles: ['hr'], amount: 250, method: 'POST', id: 'alice', plan: 'open' };

function cedar(): () => boolean {
  const forbidden = Array.from({ length: BLOCKS }, (_, at) => [
    `context.labels.contains("label-${at}") && !context.roles.contains("admin${at}")`,
    `context.amount > ${1_000 * (at + 1)} || context.plan == "closed-${at}"`,
    `context has field${at} && context.method != "GET"`,
    `!(context.roles.contains("hr") || context.roles.contains("board${at}"))`,
    `context.labels.contains(context.id)`,
  ]).flat();
  const policies = forbidden.map((condition) => `forbid(principal, action, resource) when { ${condition} };`);
  const parsed = preparsePolicySet('bench', {
    staticPolicies: `permit(principal, action, resource);\n${policies.join('\n')}`,
  });
  if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
  return () => {
    const answer = statefulIsAuthorized({
      principal: { type: 'User', id: 'alice' },
      action: { type: 'Action', id: 'call' },
      resource: { type: 'Tool', id: 'pay' },
      context: CONTEXT,
      entities: [],
      preparsedPolicySetId: 'bench',
    });
    return answer.type === 'success' && answer.response.decision === 'allow';
  };
}

function cel(): () => boolean {
  const environment = new Environment().registerVariable('c', 'map');
  const denials = Array.from({ length: BLOCKS }, (_, at) => [
    `"label-${at}" in c.labels && !("admin${at}" in c.roles)`,
    `c.amount > ${1_000 * (at + 1)}.0 || c.plan == "closed-${at}"`,
    `has(c.field${at}) && c.method != "GET"`,
    `!("hr" in c.roles || "board${at}" in c.roles)`,
    `c.id in c.labels`,
  ])
    .flat()
    .map((source) => environment.parse(source));
  return () => denials.every((denies) => denies({ c: CONTEXT }) === false);
}

function microseconds(decide: () => boolean): number {
  if (!decide()) throw new Error('must allow');
  const rounds = Array.from({ length: ROUNDS }, () => {
    const started = process.cpuUsage();
    let runs = 0;
    for (; process.cpuUsage(started).user < 100_000; runs += 10) for (let run = 0; run < 10; run++) decide();
    return process.cpuUsage(started).user / runs;
  });
  return Math.min(...rounds);
}

/** What a decision by fifty rules may take. */
const LIMIT_US = 20;

for (const [name, decide] of Object.entries({ apl, cedar, cel })) {
  const taken = microseconds(decide());
  console.log(`${name.padEnd(6)} ${taken.toFixed(1)} µs for a decision by 50 rules`);
  if (name === 'apl' && taken > LIMIT_US) process.exitCode = 1;
}
