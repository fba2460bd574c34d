/** Which attributes a part of a section reads. */
export interface ReadNames {
  /** Whether it reads an attribute of this name. */
  has(name: string): boolean;
  /** Whether it reads an attribute whose name begins with this prefix, which ends with a dot. */
  hasBelow(prefix: string): boolean;
  /** The names that it reads below a prefix, without the prefix; `'all'` if they are not known before. */
  below(prefix: string): 'all' | readonly string[];
}

/** @param names names, and patterns such as `data.*` for names that are known only at run time */
export function readNames(names: readonly string[]): ReadNames {
  const exact = names.filter((name) => !name.endsWith('.*'));
  const open = names.filter((name) => name.endsWith('.*')).map((name) => name.slice(0, -1));
  const mayBeBelow = (prefix: string) => open.some((other) => other.startsWith(prefix) || prefix.startsWith(other));
  return {
    has: (name) => exact.includes(name) || open.some((prefix) => name.startsWith(prefix)),
    hasBelow: (prefix) => exact.some((name) => name.startsWith(prefix)) || mayBeBelow(prefix),
    below: (prefix) =>
      mayBeBelow(prefix)
        ? 'all'
        : exact.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
  };
}

/** A plugin or a decision point may read every attribute. */
export const ALL_NAMES: ReadNames = Object.freeze({ has: () => true, hasBelow: () => true, below: () => 'all' });
