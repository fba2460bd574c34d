import { AplSessionError } from '../contract/errors.js';

/** The error for wrong options. `what` takes the options; `fault` says what is wrong and how to mend it. */
export function invalidConfig(what: string, fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `${what}: ${fault}${fault.endsWith('.') ? '' : '.'}`);
}
