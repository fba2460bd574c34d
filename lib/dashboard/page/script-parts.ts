/** Parts of the page for the script: texts, tables and charts. Only text nodes hold data, so no data can become HTML. */
export const PARTS_SCRIPT = `
const byId = (id) => document.getElementById(id);

function setText(id, text) {
  const element = byId(id);
  // a text that is set anew would be announced anew
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function draw(tag, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const timeOf = (ms) => new Date(ms).toISOString().slice(11, 19);
const milliseconds = (ms) => (ms >= 100 ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(1) : ms.toFixed(3));

// cells are texts, or { text, className }, or { node }
function fillTable(id, rows) {
  const body = byId(id).tBodies[0];
  const columns = byId(id).tHead.rows[0].cells.length;
  body.replaceChildren(...rows.map((cells) => {
    const row = make('tr');
    for (const cell of cells) {
      const { text, className, node } = typeof cell === 'object' ? cell : { text: cell };
      const td = make('td', text === undefined ? undefined : String(text), className);
      if (node) td.append(node);
      row.append(td);
    }
    return row;
  }));
  if (rows.length > 0) return;
  const none = make('td', 'None.', 'none');
  none.colSpan = columns;
  const row = make('tr');
  row.append(none);
  body.append(row);
}

function fillFacts(id, facts) {
  byId(id).replaceChildren(...facts.flatMap(([name, value]) => [make('dt', name), make('dd', value)]));
}

// the newest value is at the right edge
function linePath(values, max, width, height, slots) {
  const step = width / (slots - 1);
  const left = width - (values.length - 1) * step;
  const points = values.map((value, index) => {
    const y = height - 2 - (value / max) * (height - 4);
    return (left + index * step).toFixed(1) + ' ' + y.toFixed(1);
  });
  return points.length > 1 ? 'M' + points.join('L') : '';
}

function drawLines(svg, lines, slots) {
  const { width, height } = svg.viewBox.baseVal;
  const max = Math.max(1e-3, ...lines.flatMap(({ values }) => values));
  svg.replaceChildren(...lines.map(({ values, className }) =>
    draw('path', { class: className, d: linePath(values, max, width, height, slots) })));
}

function drawStates(svg, states, slots) {
  const { width, height } = svg.viewBox.baseVal;
  const step = width / slots;
  const left = width - states.length * step;
  const rects = [];
  for (let from = 0; from < states.length; ) {
    let to = from + 1;
    while (to < states.length && states[to] === states[from]) to += 1;
    const place = { x: left + from * step, y: 0, width: (to - from) * step, height };
    rects.push(draw('rect', { class: states[from], ...place }));
    from = to;
  }
  svg.replaceChildren(...rects);
}
`;
