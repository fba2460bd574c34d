// An Express app in CommonJS, as it was before, with the labels added.
const express = require('express');
const { aplSessionMiddleware, denyIf, subjectSession, taint } = require('express-apl-session');

const users = new Map([['Bearer alice-token', { id: 'alice' }]]);

const app = express();
app.use(express.json());
app.use((req, res, next) => {
  const user = users.get(req.get('authorization'));
  if (!user) return res.status(401).json({ error: 'unknown token' });
  req.user = user;
  next();
});
app.use(
  aplSessionMiddleware({
    session: subjectSession({ subject: (req) => req.user?.id, sessionId: (req) => req.get('mcp-session-id') }),
    sessionless: 'deny',
  }),
);
app.get('/salaries', taint('secret'), (_req, res) => res.json({ engineer: 98_000 }));
app.get('/notes', (req, res) => {
  req.security.labels.add('PII');
  res.json(['Ada asks for an invoice.']);
});
app.post(
  '/mail',
  denyIf({ any: ['secret', 'PII'] }, { code: 'session_tainted', reason: 'session touched secret data' }),
  (req, res) => res.json({ sentTo: req.body.to }),
);

module.exports = { app };
