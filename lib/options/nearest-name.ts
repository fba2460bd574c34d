/**
 * The known name that is most like a misspelt one, or `undefined` if no name is near. Case, `_` and `-` do not count, so
 * `ttl_seconds` is `ttlSeconds`. A name that contains the other one is near as well: `ttl`, `statusCode`.
 */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  // a long text is not a misspelt name, and comparing it would cost time
  if (given.length > 64) return undefined;
  const wanted = plain(given);
  const ranked = names
    .map((name) => ({ name, distance: editDistance(wanted, plain(name)) }))
    .sort((a, b) => a.distance - b.distance);
  const [nearest] = ranked;
  if (nearest && nearest.distance <= Math.max(1, Math.floor(wanted.length / 3))) return nearest.name;
  const containing = names.filter((name) => contains(plain(name), wanted) || contains(wanted, plain(name)));
  return containing.length === 1 ? containing[0] : undefined;
}

function contains(text: string, part: string): boolean {
  return part.length >= 3 && text.includes(part);
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

/** How many letters must be inserted, deleted, replaced or swapped with their neighbour to make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let [twoAbove, above]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = at(above, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const swapped =
        a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1] ? at(twoAbove, column - 2) + 1 : Infinity;
      current.push(Math.min(at(above, column) + 1, at(current, column - 1) + 1, replaced, swapped));
    }
    [twoAbove, above] = [above, current];
  }
  return at(above, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
