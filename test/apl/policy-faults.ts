import { expect } from 'chai';
import { PolicyDocumentError } from '../../lib/apl.js';

/** The error that `work` throws, which must be one about a document. */
export function faultOf(work: () => unknown): PolicyDocumentError {
  try {
    work();
  } catch (error) {
    if (error instanceof PolicyDocumentError) return error;
    throw error;
  }
  return expect.fail('nothing was refused');
}

/** Line, column, text and fix of the error that `work` throws. */
export function placedFaultOf(work: () => unknown): object {
  const { code, position, offending, fix } = faultOf(work);
  expect(code).to.equal('policy.invalid_document');
  return { at: position && `${position.line}:${position.column}`, offending, fix };
}
