export { currentSecurity, securityContext } from './middleware/security-context.js';
export { writeAhead } from './middleware/write-ahead.js';
