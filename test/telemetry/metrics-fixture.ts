/** One line of the text format: `name{labels}` and its value. */
export type Samples = ReadonlyMap<string, number>;

/** The samples of a text of Prometheus, with labels in alphabetical order. */
export function samplesOf(text: string): Samples {
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const [, name = '', labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
        const sorted = [...labels.matchAll(/\w+="(?:[^"\\]|\\.)*"/g)].map(([label]) => label).sort();
        return [sorted.length > 0 ? `${name}{${sorted.join(',')}}` : name, Number(value)];
      }),
  );
}

/** The samples that are not 0, without histograms and gauges of the store. */
export function countsOf(text: string): Readonly<Record<string, number>> {
  const counts = [...samplesOf(text)].filter(([name, value]) => value !== 0 && /_total\b/.test(name));
  return Object.fromEntries(counts.map(([name, value]) => [name.replace('express_apl_session_', ''), value]));
}
