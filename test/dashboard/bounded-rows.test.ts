import { expect } from 'chai';
import { BoundedRows } from '../../lib/dashboard/bounded-rows.js';

describe('BoundedRows', () => {
  const counted = (rows: BoundedRows<{ key: string; count: number }>, key: string): void =>
    rows.update([key, undefined], (earlier) => ({ key, count: (earlier?.count ?? 0) + 1 }));

  it('drops the row that was updated least recently, and counts that', () => {
    const rows = new BoundedRows<{ key: string; count: number }>(2);
    for (const key of ['a', 'b', 'a', 'c']) counted(rows, key);
    expect(rows.list()).to.deep.equal([
      { key: 'c', count: 1 },
      { key: 'a', count: 2 },
    ]);
    expect(rows.dropped).to.equal(1);
  });

  it('keeps keys apart whose parts are equal only when joined', () => {
    const rows = new BoundedRows<{ count: number }>(5);
    const once = (): { count: number } => ({ count: 1 });
    for (const parts of [['a,b'], ['a', 'b'], ['a', undefined, 'b'], ['"a","b"']]) rows.update(parts, once);
    expect(rows.list()).to.have.length(4);
  });
});
