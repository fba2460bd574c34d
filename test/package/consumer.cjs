// @ts-check
const { aplSessionMiddleware, denyIf, subjectSession, taint } = require('express-apl-session');

const { currentSecurity } = require('express-apl-session/context');

const session = subjectSession({ subject: (req) => req.get('x-user'), sessionId: (req) => req.get('mcp-session-id') });

import('./exercise.mjs').then(async ({ exercise }) => {
  await exercise({ middleware: aplSessionMiddleware({ session }), denyIf, taint });
  if ((await import('express-apl-session/context')).currentSecurity !== currentSecurity)
    throw new Error('two contexts');
  console.log('require: ok');
});
