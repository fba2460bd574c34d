import { expect } from 'chai';
import { all, only, read } from '../support/documents.js';

const DOCUMENT = 'docs/apl-in-express.md';

describe(DOCUMENT, () => {
  for (const [type, file] of [
    ['AttributeOptions', 'lib/apl-guards/apl-options.ts'],
    ['AplOptions', 'lib/apl-guards/apl-options.ts'],
    ['AplPoliciesOptions', 'lib/apl-guards/apl-policies-options.ts'],
    ['AplRouteOptions', 'lib/apl-guards/apl.ts'],
  ] as const) {
    it(`has exactly one row for each member of ${type}`, () => {
      const section = only(new RegExp(`^### ${type}\\n(.*?)^##`, 'ms'), read(DOCUMENT));
      const declared = only(new RegExp(`^export interface ${type} [^{]*\\{\\n(.*?)^\\}`, 'ms'), read(file));
      const names = all(/^ {2}readonly (\w+)\??:/gm, declared).map(([, name]) => name);
      expect(names).to.not.be.empty;
      expect(all(/^\| `(\w+)` \|/gm, section).map(([, name]) => name)).to.have.members(names);
    });
  }

  it('shows the document of the example', () => {
    const shown = only(/^```yaml\n(.*?)^```$/ms, read(DOCUMENT));
    expect(read('examples/apl/policies.yaml')).to.equal(
      `# A gateway of CPEX and this app obey the same document.\n${shown}`,
    );
  });

  it('names every code of a denial that only rules have', () => {
    const files = ['lib/apl-guards/mcp-call.ts', 'lib/apl-guards/response-rules.ts'];
    const codes = files.flatMap((file) => all(/\bcode: '([a-z_.]+)'/g, read(file)).map(([, code]) => code));
    expect(codes).to.have.members(['mcp.batch_refused', 'policy.result_unseen']);
    for (const code of codes) expect(read(DOCUMENT)).to.include(`\`${code}\``);
  });
});
