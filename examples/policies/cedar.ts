// #region docs
import { randomUUID } from 'node:crypto';
import { preparsePolicySet, preparseSchema, statefulIsAuthorized, validate } from '@cedar-policy/cedar-wasm/nodejs';
import type { DecidePolicy, Violation } from 'express-apl-session';

const SCHEMA = `
  entity User;
  entity Mailbox;
  action sendMail appliesTo { principal: User, resource: Mailbox, context: { labels: Set<String> } };
`;

/** A decision by Cedar policies; those that do not fit the schema are an error at the start of the app. */
export function decideByCedar(policies: string, violation: Violation): DecidePolicy<string | undefined> {
  const { validationErrors } = succeeded(validate({ schema: SCHEMA, policies: { staticPolicies: policies } }));
  if (validationErrors.length > 0) throw new Error(validationErrors.map(({ error }) => error.message).join('; '));
  const id = randomUUID(); // Cedar keeps what was parsed under a name that all of the process share
  succeeded(preparseSchema(id, SCHEMA));
  succeeded(preparsePolicySet(id, { staticPolicies: policies }));

  return ({ labels, subject }) => {
    if (subject === undefined) return violation;
    const { response } = succeeded(
      statefulIsAuthorized({
        principal: { type: 'User', id: subject },
        action: { type: 'Action', id: 'sendMail' },
        resource: { type: 'Mailbox', id: 'outgoing' },
        context: { labels: [...labels] },
        entities: [],
        preparsedSchemaName: id,
        preparsedPolicySetId: id,
        validateRequest: true,
      }),
    );
    // Cedar leaves out a policy that fails, and a `forbid` that is left out forbids nothing
    const [failure] = response.diagnostics.errors;
    if (failure) throw new Error(`${failure.policyId}: ${failure.error.message}`);
    return response.decision === 'allow' ? { allow: true } : violation;
  };
}

function succeeded<T extends { type: string }>(answer: T): Extract<T, { type: 'success' }> {
  if (answer.type !== 'success') throw new Error(`Cedar: ${JSON.stringify(answer)}`);
  return answer as Extract<T, { type: 'success' }>;
}
// #endregion
