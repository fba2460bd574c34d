import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import express from 'express';
import { createApp } from '../../examples/compensation/app.js';
import { type Dashboard, dashboard } from '../../lib/dashboard.js';
import { denyIf } from '../../lib/index.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { type Page, useChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { type RunningServer, serve } from '../support/raw-http.js';
import { describeWithDedicatedValkey } from '../support/valkey.js';

/** What the operator was promised. */
const TRUTH_MS = 2_000;
const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const BAD_CODE = '<img src=x onerror="document.title=1">';
const ALICE = { authorization: 'Bearer alice-token', 'mcp-session-id': 'chat-1' };

describeWithDedicatedValkey('the dashboard in Chromium', (server) => {
  const browser = useChromium();
  let store: ValkeySessionStore;
  let panel: Dashboard;
  let running: RunningServer;
  let origin: string;
  let page: Page;
  let faults: string[];
  let addresses: string[];

  beforeEach(async function () {
    this.timeout(30_000);
    await server().flush();
    store = new ValkeySessionStore({
      endpoint: server().url,
      circuitBreaker: { consecutiveFailures: 3, halfOpenAfterMs: 500 },
    });
    panel = dashboard({ access: 'checked-before', store });
    const options = { store, logger: { warn() {}, error() {} } };
    const example = createApp(options);
    const tainted = { code: 'session_tainted', reason: 'this session may not share reports' };
    example.app.get('/report', denyIf('secret', tainted, { enforce: 'observe' }), (_req, res) => void res.send('ok'));
    example.app.get('/odd', (req, res) => {
      req.security.deny({ code: BAD_CODE, reason: 'odd' });
      res.end();
    });
    running = await serve(express().set('env', 'test').use('/admin/apl', panel).use(example.app));
    origin = `http://127.0.0.1:${running.port}`;
    await openPage();
  });
  afterEach(async () => {
    await page.close();
    panel.close();
    await running.close();
    await store.close();
  });

  async function openPage(): Promise<void> {
    faults = [];
    addresses = [];
    page = await browser().newPage({ viewport: { width: 1200, height: 1000 } });
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('request', (request) => addresses.push(new URL(request.url()).origin));
    await page.addInitScript({
      content: `globalThis.violations = []; document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));`,
    });
    const answer = await page.goto(`${origin}/admin/apl`);
    expect(answer?.status()).to.equal(200);
    await shows('#connection', 'Live');
  }
  const ask = async (path: string, method = 'GET'): Promise<number> => {
    const answer = await fetch(origin + path, { method, headers: ALICE });
    await answer.text();
    return answer.status;
  };
  const textOf = (selector: string): Promise<unknown> =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);
  const shows = async (selector: string, text: string, withinMs = 5_000): Promise<void> => {
    // polled from here: the policy of the page forbids what evaluates a text in it
    await eventually(async () => expect(await textOf(selector), faults.join()).to.include(text), { withinMs });
  };
  const expectNoFaults = async (): Promise<void> => {
    expect(await page.evaluate('violations')).to.deep.equal([]);
    expect(faults).to.deep.equal([]);
    expect(new Set(addresses)).to.deep.equal(new Set([origin]));
  };
  /** Tests make the pictures of the documents: `UPDATE_SCREENSHOTS=1 npx mocha test/dashboard/page.test.ts`. */
  const picture = async (name: string, height: number): Promise<void> => {
    if (process.env['UPDATE_SCREENSHOTS'] !== '1') return;
    mkdirSync(IMAGES, { recursive: true });
    const node = 'This node only: web-1, process 4711, version 0.1.0, since 2026-01-31 12:00:00';
    await page.evaluate(`document.querySelector('#node').textContent = ${JSON.stringify(node)}`);
    await page.setViewportSize({ width: 1000, height });
    await page.screenshot({ path: `${IMAGES}${name}.png` });
  };

  it('shows each step of the compensation story within two seconds', async function () {
    this.timeout(40_000);
    await shows('#health-state', 'Reachable', TRUTH_MS);
    expect(await ask('/email', 'POST')).to.equal(202);
    await shows('#requests', '1', TRUTH_MS);
    expect(await textOf('#denial-rows')).to.include('None.');

    expect(await ask('/compensation')).to.equal(200);
    await shows('#requests', '2', TRUTH_MS);
    expect(await textOf('#durations'))
      .to.match(/Load\s+2\s/)
      .and.match(/Append\s+1\s/);
    expect(await ask('/notes?topic=customers')).to.equal(200);
    await shows('#requests', '3', TRUTH_MS);
    expect(await textOf('#durations')).to.match(/Hold\s+1\s/);

    expect(await ask('/email', 'POST')).to.equal(403);
    await shows('#denial-rows', 'session_tainted', TRUTH_MS);
    expect(await textOf('#denial-rows tbody')).to.match(/^session_tainted\s+POST \/email\s+1\s/);
    expect(await textOf('#refused-rows tbody')).to.match(/POST \/email\s+session_tainted\s+a rule of the app\s+denied/);
    expect(await ask('/report')).to.equal(200);
    await shows('#observed-rows', 'GET /report', TRUTH_MS);
    expect(await textOf('#denials-total')).to.equal('1');
    expect(await textOf('#alarm-rows')).to.not.include('session_store_failure');
    expect(await textOf('body')).to.not.match(/chat-1|alice|98.?000/);
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture('dashboard-dark', 980);
    await expectNoFaults();
  });

  it('an outage of Valkey is shown within two seconds, and its end as well', async function () {
    this.timeout(60_000);
    await shows('#health-state', 'Reachable', TRUTH_MS);
    await server().kill();
    try {
      await shows('#health-state', 'Unreachable', TRUTH_MS);
      expect(await ask('/compensation')).to.equal(403);
      await shows('#alarm-rows', 'session_store_failure (load)', TRUTH_MS);
      await shows('#refused-rows', 'session state could not be loaded', TRUTH_MS);
      expect(await textOf('#alarm-rows')).to.include('raised');
      await page.emulateMedia({ colorScheme: 'light' });
      await picture('dashboard-light', 760);
    } finally {
      await server().restart();
    }
    await shows('#health-state', 'Reachable', TRUTH_MS);
    expect(await ask('/compensation')).to.equal(200);
    // a recovery is reported when no failure follows for a second
    await shows('#recovery-rows', 'session_store_failure (load)');
    await shows('#alarm-rows', 'recovered');
    expect(await textOf('#changes')).to.match(/Reachable.*Unreachable.*Reachable/s);
    await expectNoFaults();
  });

  it('a Valkey that hangs is shown within two seconds', async function () {
    this.timeout(40_000);
    await shows('#health-state', 'Reachable', TRUTH_MS);
    await server().stop();
    try {
      await shows('#health-state', 'Unreachable', TRUTH_MS);
    } finally {
      await server().cont();
    }
    await shows('#health-state', 'Reachable', TRUTH_MS);
    await expectNoFaults();
  });

  it('a page that has lost its connection says so, and goes on by itself', async function () {
    this.timeout(40_000);
    const { port } = running;
    panel.close();
    await shows('#connection', 'trying again');
    expect(port).to.be.greaterThan(0);
  });

  it('text of the app never becomes HTML or a script', async () => {
    expect(await ask('/odd')).to.equal(403);
    await shows('#denial-rows', BAD_CODE);
    expect(await page.evaluate(`document.querySelectorAll('img').length`)).to.equal(0);
    await expectNoFaults();
    const blocked = `try { document.body.innerHTML = '<b>x</b>'; 'inserted' } catch (error) { error.name }`;
    expect(await page.evaluate(blocked)).to.equal('TypeError');
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`every text can be read in the ${colorScheme} scheme: contrast 4.5 or more`, async function () {
      this.timeout(20_000);
      expect(await ask('/odd')).to.equal(403);
      await shows('#refused-rows', BAD_CODE);
      await page.emulateMedia({ colorScheme });
      expect(await page.evaluate(LOW_CONTRAST)).to.deep.equal([]);
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(background).to.equal(colorScheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(244, 245, 247)');
    });
  }

  it('the keyboard reaches the content and each table, with a visible focus', async () => {
    const focused = (): Promise<unknown> =>
      page.evaluate(
        `(({ tagName, ariaLabel, innerText }) => tagName + ' ' + (ariaLabel ?? innerText))(document.activeElement)`,
      );
    await page.keyboard.press('Tab');
    expect(await focused()).to.equal('A Skip to the content');
    expect(await page.evaluate('document.activeElement.getBoundingClientRect().left')).to.be.at.least(0);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).to.equal('main');
    for (const table of ['Changes of the state', 'Alarms', 'Recoveries', 'By code and route']) {
      await page.keyboard.press('Tab');
      expect(await focused()).to.equal(`DIV ${table}`);
      expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).to.equal('solid');
    }
  });

  it('a screen reader finds landmarks, headings, named charts and headed tables', async () => {
    const count = (selector: string): Promise<unknown> =>
      page.evaluate(`document.querySelectorAll(${JSON.stringify(selector)}).length`);
    for (const landmark of ['header', 'main', 'footer', 'h1']) expect(await count(landmark), landmark).to.equal(1);
    expect(await count('section[aria-labelledby] > h2')).to.equal(await count('section'));
    expect(await count('table > caption')).to.equal(await count('table'));
    expect(await count('thead th[scope=col]')).to.equal(await count('thead th'));
    expect(await count('svg:not([role=img]):not([aria-hidden])')).to.equal(0);
    // what changes each second is not announced
    expect(await count('[role=status], [aria-live]')).to.equal(2);
    expect(await textOf('#traffic-caption')).to.match(/Requests per second \(solid line\), at most \d+/);
  });

  it('fits a narrow window without scrolling sideways', async () => {
    await page.setViewportSize({ width: 360, height: 700 });
    await eventually(async () =>
      expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360),
    );
  });
});

/** The texts whose contrast with their background is below 4.5, the limit of WCAG 2.2 AA. */
const LOW_CONTRAST = `
  (() => {
    const channels = (color) => color.match(/[\\d.]+/g).map(Number);
    const luminance = (color) => {
      const [r, g, b] = channels(color).map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backgroundOf = (element) => {
      const color = element ? getComputedStyle(element).backgroundColor : 'rgb(255, 255, 255)';
      return channels(color)[3] === 0 ? backgroundOf(element.parentElement) : color;
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll('body *')].filter(hasText).filter((element) => {
      const [light, dark] = [luminance(getComputedStyle(element).color), luminance(backgroundOf(element))].sort((a, b) => b - a);
      return (light + 0.05) / (dark + 0.05) < 4.5;
    }).map((element) => element.tagName + ' ' + element.textContent);
  })()`;
