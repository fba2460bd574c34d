// @ts-check
import 'express-apl-session';
import express from 'express';

/** An app that only imports the package, and finds `req.security` typed. */
const app = express();
app.get('/labels', (req, res) => {
  /** @type {Set<string>} */
  const labels = req.security.labels;
  /** @type {string | undefined} */
  const source = req.security.source;
  // @ts-expect-error labels are texts
  labels.add(42);
  // @ts-expect-error labels are added, never replaced
  req.security.labels = new Set();
  // @ts-expect-error no such member
  void req.security.label;
  res.json({ source });
});
console.log('types: ok');
