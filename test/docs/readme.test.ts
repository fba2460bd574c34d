import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { DEFAULT_MAX_LABELS_PER_SESSION } from '../../lib/labels/label-limit.js';
import { compilerFaults } from '../support/compiler.js';
import { all, only, ROOT, read, snippetsOf } from '../support/documents.js';

const readme = read('README.md');

/** Documents whose snippets, but for those that are regions of the examples, make one program. */
const PROGRAMS: ReadonlyArray<{ readonly document: string; readonly examples: readonly string[] }> = [
  {
    document: 'docs/policies.md',
    examples: ['examples/policies/cedar.ts', 'examples/policies/cel.ts', 'examples/policies/app.ts'],
  },
  { document: 'docs/beyond-requests.md', examples: ['examples/mcp/tools.ts'] },
  { document: 'docs/apl-in-express.md', examples: ['examples/apl/app.ts'] },
  { document: 'docs/why-was-i-blocked.md', examples: [] },
];

describe('documents', () => {
  for (const { document, examples } of PROGRAMS) {
    it(`${document}: snippets are the code of its examples, or compile`, () => {
      const snippets = codeOf(document);
      const regions = examples.flatMap(regionsOf);
      expect(snippets).to.include.members(regions);
      const faults = compilerFaults(snippets.filter((snippet) => !regions.includes(snippet)).join('\n'));
      expect(faults).to.equal('');
    });
  }

  for (const example of ['compensation', 'policies', 'mcp', 'apl']) {
    it(`the example ${example} plays its scenario to the end`, () => {
      const args = ['--import', 'tsx', `examples/${example}/main.ts`];
      const env = { ...process.env, VALKEY_URL: '' };
      const { status, stdout } = spawnSync(process.execPath, args, { cwd: fileURLToPath(ROOT), env, encoding: 'utf8' });
      expect(stdout).to.include('Every answer was the expected one.');
      expect(status).to.equal(0);
    });
  }

  it('the README names the two commands, and package.json has their scripts', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(readme).to.include('\nnpm ci && npm run example\n').and.to.include('\nnpm ci && npm test\n');
    expect(scripts).to.include.keys('example', 'test');
  });

  const tables = [
    ['README.md', 'aplSessionMiddleware', 'AplSessionOptions', 'lib/middleware/middleware-options.ts'],
    ['docs/options.md', 'MemorySessionStore', 'MemorySessionStoreOptions', 'lib/stores/memory-session-store.ts'],
    ['docs/options.md', 'ValkeySessionStore', 'ValkeySessionStoreOptions', 'lib/stores/valkey/config/valkey-config.ts'],
    ['docs/operations.md', 'healthHandler', 'HealthHandlerOptions', 'lib/health/health-options.ts'],
    ['docs/dashboard.md', 'dashboard', 'DashboardOptions', 'lib/dashboard/dashboard-options.ts'],
    ['docs/metrics.md', 'prometheusMetrics', 'PrometheusMetricsOptions', 'lib/telemetry/prometheus-metrics.ts'],
    [
      'docs/metrics.md',
      'openTelemetryMetrics',
      'OpenTelemetryMetricsOptions',
      'lib/telemetry/open-telemetry-metrics.ts',
    ],
    ['docs/metrics.md', 'openTelemetryTraces', 'OpenTelemetryTracesOptions', 'lib/telemetry/open-telemetry-traces.ts'],
    ['docs/beyond-requests.md', 'openSession', 'OpenSessionOptions', 'lib/open-session/open-session-options.ts'],
  ] as const;
  for (const [document, heading, type, file] of tables) {
    it(`${document}: exactly one row with the default for each option of ${heading}`, () => {
      const section = only(new RegExp(`^##+ ${heading}\\n(.*?)(?=^##|(?![^]))`, 'ms'), read(document));
      const rows = new Map(all(/^\| `(\w+)` \| (.*?) \|/gm, section).map(([, name, value]) => [name, value]));
      const declared = only(new RegExp(`^export interface ${type} \\{\\n(.*?)^\\}`, 'ms'), read(file));
      const names = all(/^ {2}readonly (\w+)\??:/gm, declared).map(([, name]) => name);
      const own = only(/^const schema = .*?\(\{\n(.*?)^\}\);/ms, read(file));
      const schema = own.includes('...sharedOptions') ? own + sharedOptions() : own;
      const validated = all(/^ {2}(\w+): (?:Joi|\w+Schema)/gm, schema).map(([, name]) => name);
      expect([...rows.keys()]).to.have.members(names);
      expect(validated).to.have.members(names);
      for (const [, name, value] of all(/^ {2}(\w+): Joi.*\.default\(['"]?([^'")]+)['"]?\)/gm, schema)) {
        const shown = value === 'DEFAULT_MAX_LABELS_PER_SESSION' ? `${DEFAULT_MAX_LABELS_PER_SESSION}` : value;
        expect(rows.get(name)?.replaceAll('`', ''), name).to.equal(shown?.replaceAll('_', ''));
      }
    });
  }

  it('docs/errors.md has exactly one heading for each error code and alarm', () => {
    const type = only(/^export type AplSessionErrorCode =\n(.*?);/ms, read('lib/contract/errors.ts'));
    const codes = all(/\| '([^']+)'/g, type).map(([, code]) => code);
    const alarms = all(/readonly alarm: '([^']+)'/g, read('lib/contract/alarms.ts')).map(([, alarm]) => alarm);
    const headings = all(/^### `(.+)`$/gm, read('docs/errors.md')).map(([, heading]) => heading);
    expect(codes).to.not.be.empty;
    expect(alarms).to.not.be.empty;
    expect(headings).to.have.members([...codes, ...alarms]);
  });
});

function sharedOptions(): string {
  return only(/^export const sharedOptions: SchemaMap = \{\n(.*?)^\};/ms, read('lib/middleware/middleware-options.ts'));
}

function codeOf(document: string): string[] {
  return snippetsOf(document).map(({ code }) => code);
}

/** The parts of an example that a document shows. */
function regionsOf(example: string): string[] {
  return all(/\/\/ #region .*?\n(.*?)\/\/ #endregion/gs, read(example)).map(([, region = '']) => region);
}
