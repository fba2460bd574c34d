/** Sends requests at a fixed rate, whatever became of those before, and reports to its parent. */
import { Agent, request } from 'node:http';

const [port, rate, seconds, tainting] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 500 });
const latenciesMs = [];
const statuses = {};
let open = 0;
let sent = 0;

const sessions = Math.max(1, Math.ceil((rate * seconds) / 10));

/**
 * A session has ten requests, spread over the whole time. The last one is a mail, and a tainting session reads a salary in the
 * middle.
 */
function shapeOf(n) {
  const session = n % sessions;
  const step = Math.floor(n / sessions);
  // the golden ratio spreads the tainting sessions evenly
  const isTainting = (session * 0.618034) % 1 < tainting;
  if (step === 9) return { session, method: 'POST', path: '/mail' };
  return { session, method: 'GET', path: isTainting && step === 5 ? '/salaries' : '/notes' };
}

/** Resolves when the request has ended. */
function send({ session, method, path }) {
  const startedMs = performance.now();
  const headers = { 'x-session': `load-${process.pid}-${session}` };
  return new Promise((resolve) => {
    const done = (status) => {
      open -= 1;
      statuses[status] = (statuses[status] ?? 0) + 1;
      latenciesMs.push(performance.now() - startedMs);
      resolve();
    };
    request({ host: '127.0.0.1', port, agent, method, path, headers }, (res) =>
      res.resume().once('end', () => done(res.statusCode)),
    )
      .once('error', ({ code }) => done(code))
      .end();
  });
}

/** The answers with salaries. A client that has not got one yet cannot mail it. */
const salaries = new Map();

async function next(n) {
  const shape = shapeOf(n);
  open += 1;
  if (shape.path === '/mail') await salaries.get(shape.session);
  const answer = send(shape);
  if (shape.path === '/salaries') salaries.set(shape.session, answer);
}

const startedMs = performance.now();
const timer = setInterval(() => {
  const elapsedMs = performance.now() - startedMs;
  const due = Math.floor((Math.min(elapsedMs, seconds * 1_000) * rate) / 1_000);
  while (sent < due) next(sent++);
  if (elapsedMs < seconds * 1_000 || open > 0) return;
  clearInterval(timer);
  agent.destroy();
  process.send({ requests: sent, seconds: elapsedMs / 1_000, statuses, latenciesMs }, () => process.disconnect());
}, 5);
