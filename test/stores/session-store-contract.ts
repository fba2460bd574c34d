import { type SessionStoreContractOptions, sessionStoreContract } from '../../lib/testing.js';

/** The contract of `express-apl-session/testing` as a suite of mocha. */
export function describeSessionStoreContract(title: string, options: SessionStoreContractOptions): void {
  describe(title, () => {
    for (const { title: rule, run } of sessionStoreContract(options)) it(rule, run);
  });
}
