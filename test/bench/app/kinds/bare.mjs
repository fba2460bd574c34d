/** Express and nothing else. */
export async function mount() {
  return { taint: undefined };
}
