import { inspect } from 'node:util';
import { expect } from 'chai';
import { AplSessionError, type AplSessionErrorCode } from '../../lib/contract/errors.js';
import { rejectionOf } from './eventually.js';

/** Asserts the code of a failed call, and that nothing that the error shows contains a secret. */
export async function expectFailure(
  call: Promise<unknown>,
  code: AplSessionErrorCode,
  secrets: readonly string[],
): Promise<AplSessionError> {
  const error = await rejectionOf(call);
  expect(error).to.be.instanceOf(AplSessionError);
  expect(error).to.have.property('code', code);
  const shown = [(error as Error).message, JSON.stringify(error), inspect(error, { depth: 10, showHidden: true })];
  for (const secret of secrets) {
    // paths of this project are in the stack
    for (const text of shown) expect(text.replaceAll(/^ +at .*$/gm, '')).to.not.include(secret);
  }
  return error as AplSessionError;
}
