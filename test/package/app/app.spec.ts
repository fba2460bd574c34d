// Runs with the globals of jest and of vitest.
import { AplSessionError } from 'express-apl-session';
import { main } from './app.js';

describe('an app', () => {
  it('uses every entry', async () => {
    await main();
  });

  it('knows errors of the package', () => {
    expect(new AplSessionError('store.full', 'full')).toBeInstanceOf(Error);
  });
});
