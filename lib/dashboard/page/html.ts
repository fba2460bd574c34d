/** A table that scrolls on narrow screens, also with the keyboard. */
function table(id: string, label: string, columns: readonly string[]): string {
  const heads = columns.map((column) => `<th scope="col">${column}</th>`).join('');
  return `<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table id="${id}">
<caption>${label}</caption><thead><tr>${heads}</tr></thead><tbody></tbody></table></div>`;
}

function section(id: string, title: string, body: string): string {
  return `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>\n${body}</section>`;
}

const traffic = `<dl class="tiles">
<div><dt>Requests per second</dt><dd id="rate">–</dd></div>
<div><dt>Denials per second</dt><dd id="denial-rate">–</dd></div>
<div><dt>Responses held now</dt><dd id="held-now">–</dd></div>
<div><dt>Requests</dt><dd id="requests">–</dd></div>
<div><dt>Denials</dt><dd id="denials-total">–</dd></div>
<div><dt>Cut responses</dt><dd id="cut">–</dd></div>
<div><dt>Failed loads</dt><dd id="failed-loads">–</dd></div>
<div><dt>Failed appends</dt><dd id="failed-appends">–</dd></div>
</dl>
<figure><svg id="traffic-chart" viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-labelledby="traffic-caption"></svg>
<figcaption id="traffic-caption"></figcaption></figure>`;

const health = `<p><strong id="health-state" role="status">unknown</strong> <span id="health-since"></span></p>
<figure><svg id="health-chart" viewBox="0 0 600 24" preserveAspectRatio="none" role="img" aria-label="The state of the store in the last five minutes; the table of changes has the same as text"></svg></figure>
<dl id="store" class="facts"></dl>
${table('changes', 'Changes of the state', ['Time', 'State', 'Reason'])}`;

const CODE = 'Code';
const ROUTE = 'Route';
const COUNT = 'Count';

const sections = [
  section('traffic', 'Requests', traffic),
  section('health', 'Session store', health),
  section(
    'alarms',
    'Alarms and recoveries',
    [
      table('alarm-rows', 'Alarms', ['State', 'Alarm', CODE, ROUTE, COUNT, 'First', 'Last', 'Text of the last one']),
      table('recovery-rows', 'Recoveries', ['Time', 'After', 'Failures', 'Seconds']),
    ].join('\n'),
  ),
  section(
    'denials',
    'Denials',
    [
      table('denial-rows', 'By code and route', [CODE, ROUTE, COUNT, 'Last']),
      table('refused-rows', 'The last refused requests', ['Time', ROUTE, CODE, 'Reason', 'Answer']),
    ].join('\n'),
  ),
  section(
    'times',
    'Times',
    table('durations', 'Milliseconds, over the last minute', [
      'Step',
      COUNT,
      'p50',
      'p99',
      'Maximum',
      'p99 in the last five minutes',
    ]),
  ),
  section(
    'observed',
    'Guards that observe',
    table('observed-rows', 'Requests that would have been denied', ['Guard', CODE, ROUTE, COUNT, 'Last', 'Reason']),
  ),
];

/** The page. It has no data and no inline code; the script fills it. */
export const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>express-apl-session</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="dashboard.css">
<script src="dashboard.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<h1>express-apl-session</h1>
<p id="node">This node only.</p>
<p id="connection" role="status">Connecting</p>
<noscript><p>This page needs JavaScript.</p></noscript>
</header>
<main id="main" tabindex="-1">
${sections.join('\n')}
</main>
<footer><p>Times are UTC. The page holds no labels, session ids or subjects. Counts begin at the time above; <span id="dropped">0</span> of the oldest rows were dropped.</p></footer>
</body>
</html>
`;

export const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#2456a6"/><path d="M2 11l4-5 3 3 5-6" fill="none" stroke="#fff" stroke-width="2"/></svg>';
