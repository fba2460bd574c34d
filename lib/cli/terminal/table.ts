/** A cell: its text, and how to colour it after it was padded. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

export interface TableOptions {
  /** Columns, by index, whose texts end at the right. */
  readonly right?: ReadonlySet<number>;
}

/** Lines in which all cells of a column have one width. */
export function tableLines(rows: ReadonlyArray<readonly Cell[]>, { right = new Set() }: TableOptions = {}): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, { text }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length);
  }
  return rows.map((row) => {
    const cells = row.map(({ text, paint = (plain) => plain }, column) => {
      const padding = ' '.repeat((widths[column] ?? 0) - text.length);
      return right.has(column) ? padding + paint(text) : paint(text) + padding;
    });
    return `  ${cells.join('  ').trimEnd()}`;
  });
}
