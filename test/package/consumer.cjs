// @ts-check
const { aplSessionMiddleware, denyIf, subjectSession, taint } = require('express-apl-session');

const session = subjectSession({ subject: (req) => req.get('x-user'), sessionId: (req) => req.get('mcp-session-id') });

import('./exercise.mjs').then(async ({ exercise }) => {
  await exercise({ middleware: aplSessionMiddleware({ session }), denyIf, taint });
  console.log('require: ok');
});
