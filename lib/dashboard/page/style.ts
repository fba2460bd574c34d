export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --text: #1c2026; --quiet: #545c68; --line: #c9ced6;
  --blue: #2456a6; --red: #b3261e; --green: #1b6e3c; --amber: #8a5a00; --grey: #7a828e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1d2127; --text: #e6e9ee; --quiet: #a6aeba; --line: #3a414b;
    --blue: #8ab4f8; --red: #ff8a80; --green: #7ddc9a; --amber: #ffc766; --grey: #8b94a1;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 16px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 20px; padding-top: 12px; }
header p, h1, h2 { margin: 0; }
h1 { font-size: 20px; }
h2 { font-size: 15px; margin-bottom: 8px; }
main { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; padding-top: 12px; }
main:focus { outline: none; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 12px; min-width: 0; }
#alarms, #denials, #observed, #times { grid-column: 1 / -1; }
footer, figcaption, caption, dt, #node, #health-since { color: var(--quiet); }
#connection { font-weight: 600; }
#connection.live, .reachable, .recovered { color: var(--green); }
#connection.lost, .unreachable, .raised { color: var(--red); }
.circuit_open { color: var(--amber); }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--card); color: var(--blue); padding: 8px; z-index: 1; }
:focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 8px; margin: 0 0 8px; }
.tiles dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
.tiles dt { font-size: 12px; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 8px 0; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0; }
svg { display: block; width: 100%; background: var(--page); border-radius: 3px; }
#traffic-chart { height: 120px; }
#health-chart { height: 18px; }
svg.small { width: 180px; height: 24px; }
svg path { fill: none; stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
path.first { stroke: var(--blue); }
path.second { stroke: var(--red); stroke-dasharray: 4 2; }
rect.reachable { fill: var(--green); }
rect.unreachable { fill: var(--red); }
rect.circuit_open { fill: var(--amber); }
rect.unknown { fill: var(--grey); }
.scroll { overflow: auto; max-height: 320px; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: 4px 0; font-size: 12px; }
th, td { text-align: left; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; }
td.text { min-width: 220px; overflow-wrap: anywhere; }
td.none { color: var(--quiet); }
@media (max-width: 800px) {
  main { grid-template-columns: minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(2, 1fr); }
}
@media (forced-colors: active) {
  svg path { stroke: CanvasText; }
}
`;
