/**
 * The same routes for every kind. `taint(req)` is how a kind writes to its session in a handler; it may return a promise
 * to wait for, and is `undefined` for a kind that has no sessions.
 */
export function mountRoutes(app, taint) {
  const tainted = (answer) => {
    if (!taint) return answer;
    return (req, res) => {
      const writing = taint(req);
      if (writing) writing.then(() => answer(req, res));
      else answer(req, res);
    };
  };
  app.get('/clean', answerJson);
  app.get('/taint', tainted(answerJson));
  app.get('/body/:size', answerBody);
  app.get('/taint-body/:size', tainted(answerBody));
  app.get('/stream/:chunks', answerStream);
  app.get('/taint-stream/:chunks', tainted(answerStream));
  app.get('/wait', (_req, res) => {
    waiting.push(res);
  });
  app.get('/release', (_req, res) => {
    for (const held of waiting.splice(0)) held.json({});
    res.json({});
  });
  app.get('/taint-fresh-body/:size', tainted(answerFreshBody));
}

const waiting = [];

function answerJson(_req, res) {
  res.json({ id: 4711, name: 'Ada Lovelace', notes: ['first', 'second', 'third'], active: true });
}

const bodies = new Map();

function bodyOf(size) {
  if (!bodies.has(size)) bodies.set(size, Buffer.alloc(Number(size), 'x'));
  return bodies.get(size);
}

/** With `end`, so that no ETag is computed: what is measured is the way of the bytes. */
function answerBody(req, res) {
  const body = bodyOf(req.params.size);
  res.setHeader('Content-Length', body.length);
  res.end(body);
}

/** One buffer for each response, as from a database. */
function answerFreshBody(req, res) {
  const size = Number(req.params.size);
  res.setHeader('Content-Length', size);
  res.end(Buffer.alloc(size, 'x'));
}

const CHUNK = Buffer.alloc(4_096, 'x');

/** Writes one chunk a turn of the event loop, and waits for `drain` where the response asks for it. */
function answerStream(req, res) {
  let left = Number(req.params.chunks);
  const more = () => {
    if (left-- === 0) res.end();
    else if (res.write(CHUNK)) setImmediate(more);
    else res.once('drain', more);
  };
  more();
}
