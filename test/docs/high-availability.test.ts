import { expect } from 'chai';
import { compilerFaults } from '../support/compiler.js';
import { read, snippetsOf } from '../support/documents.js';
import { CLUSTER_RIGHTS, SENTINEL_RIGHTS, VALKEY_RIGHTS } from '../support/group-security.js';

const DOCUMENT = 'docs/high-availability.md';

describe(DOCUMENT, () => {
  it('the snippets compile', () => {
    const snippets = snippetsOf(DOCUMENT).map(({ code }) => code);
    expect(snippets).to.have.length(3);
    for (const snippet of snippets) expect(compilerFaults(snippet)).to.equal('');
  });

  it('names the rights with which the topologies were tested', () => {
    const document = read(DOCUMENT);
    expect(document).to.include(`ACL SETUSER finder reset on >... ${SENTINEL_RIGHTS.join(' ')}\n`);
    for (const right of CLUSTER_RIGHTS) expect(document).to.include(`\`${right}\``);
    const operations = read('docs/operations.md').replaceAll("'", '');
    expect(operations).to.include(`"#$hash" ${VALKEY_RIGHTS.join(' ')}\n`);
  });
});
