export { currentSecurity, securityContext } from './middleware/security-context.js';
