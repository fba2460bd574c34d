import { expect } from 'chai';
import { healthHandler } from '../../lib/index.js';
import { thrownBy } from '../support/eventually.js';

describe('errors of options', () => {
  it('end with one full stop, also after a hint', () => {
    const error = thrownBy(() => healthHandler({ store: {} as never }));
    expect(error)
      .to.include({ code: 'config.invalid' })
      .and.to.have.property('message')
      .that.matches(/[^.]\.$/);
  });
});
