import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compileDocument, compileSection } from '../../lib/apl.js';
import { faultOf } from './policy-faults.js';

const SECTION = { pre_invocation: ["a: deny('r', 'c')"], args: { x: 'str' } };

describe('the text of a policy document', () => {
  const texts: ReadonlyArray<readonly [form: string, document: unknown]> = [
    ['an object', SECTION],
    ['JSON', JSON.stringify(SECTION, undefined, 2)],
    ['YAML', `pre_invocation:\n- "a: deny('r', 'c')"\nargs:\n  x: str # text`],
    ['YAML with braces', `{pre_invocation: ["a: deny('r', 'c')"], args: {x: str}}`],
    ['YAML with an anchor', `pre_invocation: [&rule "a: deny('r', 'c')", *rule]\nargs: { x: str }`],
  ];
  for (const [form, document] of texts) {
    it(`may be ${form}`, () => {
      const section = compileSection(document);
      expect(section.evaluate({ a: true })).to.include({ decision: 'deny', code: 'c' });
      expect(section.evaluate({}, { args: { x: 1 } })).to.include({ code: 'global.apl.args.x' });
    });
  }

  const bomb = `${Array.from({ length: 12 }, (_, at) => `k${at}: &k${at} [${at === 0 ? '1' : Array(9).fill(`*k${at - 1}`)}]`).join('\n')}\n`;
  const refused: ReadonlyArray<readonly [what: string, text: string, message: RegExp]> = [
    ['a key that occurs twice in YAML', 'global: {}\nglobal: {}', /^2:1: The key occurs twice: "global"/],
    ['a key that occurs twice in JSON', '{"global": {},\n "global": {}}', /^2:3: The key occurs twice: "global"/],
    ['the same key in quotes', 'global: {}\n"global": {}', /^2:2: The key occurs twice/],
    ['__proto__ in JSON', '{"__proto__": {}}', /A key cannot be __proto__/],
    ['__proto__ in YAML', 'global:\n  __proto__: {}', /^2:3 \(global\): A key cannot be __proto__/],
    ['an alias bomb', bomb, /more than 50000 values/],
    ['an alias that contains itself', 'a: &a [*a]', /inside its own anchor/],
    ['very many aliases', `a: &a x\nb:\n${'- *a\n'.repeat(60_000)}`, /more than 50000 values/],
    [
      'aliases that nest deeply',
      `a0: &a0 []\n${Array.from({ length: 70 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}]`).join('\n')}`,
      /more than 64 levels/,
    ],
    ['levels that would end the process', '- '.repeat(20_000), /more than 64 levels/],
    ['an alias without an anchor', 'a: *b', /not valid YAML|no anchor/],
    ['a tag of another language', 'global: !!js/function "x"', /^1:9: The document is not valid YAML \(Unresolved tag/],
    ['a tag of an own type', 'global: !taint x', /Unresolved tag/],
    ['binary data', 'global: !!binary aGk=', /a value of another type/],
    ['two documents', 'global: {}\n---\nglobal: {}', /^2:1: The text holds several documents/],
    ['a key that is no string', '1: {}', /A key of the document is no string/],
    ['a map as a key', '? {a: b}\n: c', /A key of the document is no string/],
    ['wrong indentation', 'global:\n  a: 1\n b: 2', /not valid YAML/],
    ['a merge key', 'a: &a {global: {}}\n<<: *a', /Unknown key|not valid/],
    ['text that is no document', 'deny', /The document is a string/],
    ['an empty text', '', /The document is nothing/],
    ['half of a document in JSON', '{"global": ', /not valid/],
    ['too deep a document', `${'['.repeat(5_000)}${']'.repeat(5_000)}`, /more than 64 levels|not valid/],
    ['too long a text', ' '.repeat(500_001), /more than 500000 characters/],
  ];
  for (const [what, text, message] of refused) {
    it(`must not have ${what}`, () => {
      expect(faultOf(() => compileDocument(text)).message).to.match(message);
    });
  }

  const objects: ReadonlyArray<readonly [what: string, document: unknown, message: RegExp]> = [
    ['an own key __proto__', JSON.parse('{"__proto__": {"global": {}}}'), /A key cannot be __proto__/],
    [
      'a function',
      { global: { pre_invocation: [() => true] } },
      /^global\.pre_invocation\[0\]: The document holds a function/,
    ],
    ['a date', { global: new Date() }, /^global: The document holds an object/],
    ['undefined', { global: undefined }, /^global: The document holds undefined/],
    ['itself', circular(), /more than 64 levels/],
    ['no map', [], /The document is a list/],
  ];
  for (const [what, document, message] of objects) {
    it(`given as an object must not hold ${what}`, () => {
      expect(faultOf(() => compileDocument(document)).message).to.match(message);
    });
  }

  it('names the file in every message', () => {
    expect(faultOf(() => compileDocument('golbal: 1', { file: 'policies.yaml' })).message).to.match(
      /^policies\.yaml:1:1: /,
    );
    expect(faultOf(() => compileDocument({ golbal: 1 }, { file: 'policies.mjs' })).message).to.match(
      /^policies\.mjs: /,
    );
  });

  it('of the caller is neither changed nor kept', () => {
    const document = { pre_invocation: ['a: deny'] };
    const { evaluate } = compileSection(Object.freeze(document));
    document.pre_invocation[0] = 'a: allow';
    expect(evaluate({ a: true }).decision).to.equal('deny');
  });
});

describe('without the optional packages', () => {
  it('JSON and objects work, and YAML and regex() name the package to install', () => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', WITHOUT_PACKAGES],
      {
        cwd: fileURLToPath(new URL('../../', import.meta.url)),
        encoding: 'utf8',
      },
    );
    expect(stderr).to.equal('');
    const [json, yaml, regex] = JSON.parse(stdout) as string[];
    expect(json).to.equal('deny');
    expect(yaml).to.include(
      '1:1: A document in YAML needs the package yaml, which cannot be loaded. Run: npm install yaml',
    );
    expect(regex)
      .to.include('regex(…) needs the package re2js, which cannot be loaded')
      .and.to.include('Run: npm install re2js');
  });
});

const WITHOUT_PACKAGES = `
  import Module from 'node:module';
  const load = Module._load;
  Module._load = (name, ...others) => {
    if (name === 'yaml' || name === 're2js') throw new Error('not installed');
    return load(name, ...others);
  };
  const { compileChain, compileSection } = await import('./lib/apl.ts');
  const messageOf = (work) => { try { work(); } catch (error) { return error.message; } };
  console.log(JSON.stringify([
    compileSection('{"pre_invocation": ["deny"]}').evaluate({}).decision,
    messageOf(() => compileSection('pre_invocation: [deny]')),
    messageOf(() => compileChain('regex("a")')),
  ]));
`;

function circular(): unknown {
  const document: Record<string, unknown> = {};
  document['global'] = document;
  return document;
}
