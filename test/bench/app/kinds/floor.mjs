import { mountFloor } from '../floor.mjs';

export async function mount(app) {
  return mountFloor(app, undefined);
}
