import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';

/** The part of playwright-core that the tests use. Its own types need the types of a browser, which `lib/` must not see. */
interface Playwright {
  readonly chromium: { launch(options: object): Promise<Browser> };
}
export interface Browser {
  newPage(options?: object): Promise<Page>;
  close(): Promise<void>;
}
export interface Page {
  goto(url: string): Promise<{ status(): number } | null>;
  /** The value of an expression in the page. */
  evaluate(expression: string): Promise<unknown>;
  addInitScript(script: { content: string }): Promise<void>;
  emulateMedia(media: { colorScheme: 'dark' | 'light' }): Promise<void>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  screenshot(options: object): Promise<Buffer>;
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  on(event: 'request', listener: (request: { url(): string }) => void): void;
  readonly keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> };
  close(): Promise<void>;
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A suite with a Chromium, which is pending without one. `REQUIRE_VALKEY_TESTS=1` lets it fail instead. Call it in a `describe`. */
export function useChromium(): () => Browser {
  let browser: Browser | undefined;
  before('starts Chromium', async function () {
    this.timeout(60_000);
    const executablePath = findChromium();
    if (executablePath === undefined) {
      if (process.env['REQUIRE_VALKEY_TESTS'] === '1') throw new Error(`None of ${NAMES.join(', ')} is on the PATH.`);
      console.warn('      pending, no Chromium');
      this.skip();
    }
    const { chromium } = createRequire(import.meta.url)('playwright-core') as Playwright;
    // Chromium has no sandbox for root
    const chromiumSandbox = process.getuid?.() !== 0;
    browser = await chromium.launch({ executablePath, headless: true, chromiumSandbox, args: FLAGS, timeout: 50_000 });
  });
  after('closes Chromium', () => browser?.close());
  return () => {
    if (browser) return browser;
    throw new Error('The browser of a suite is there from its first hook on.');
  };
}

function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
