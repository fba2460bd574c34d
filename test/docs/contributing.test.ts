import { existsSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import { all, ROOT, read } from '../support/documents.js';

const contributing = read('CONTRIBUTING.md');

describe('CONTRIBUTING.md', () => {
  it('has a row for each folder of lib/ that has files, and no other rows', () => {
    const files = readdirSync(new URL('lib/', ROOT), { recursive: true, encoding: 'utf8' });
    const folders = files.flatMap((file) => /^(.+[/\\])[^/\\]+\.ts$/.exec(file)?.[1]?.replaceAll('\\', '/') ?? []);
    const rows = all(/^\| (`[^|]+\/`) \|/gm, contributing).flatMap(([, cell = '']) => all(/`([^`]+)`/g, cell));
    expect(rows.map(([, folder]) => folder)).to.have.members([...new Set(folders)]);
  });

  it('names only files that exist', () => {
    const paths = all(/`((?:lib|test|docs)\/[\w./-]+)`/g, contributing).map(([, path = '']) => path);
    expect(paths).to.not.be.empty;
    for (const path of paths) expect(existsSync(new URL(path, ROOT)), path).to.equal(true);
  });
});
