import { HTML, ICON } from './html.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

/** A file of the page. */
export interface Asset {
  readonly type: string;
  readonly text: string;
}

/** The files of the page by their path. They are texts of the code, so that bundlers take them along. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ['/', { type: 'text/html', text: HTML }],
  ['/dashboard.js', { type: 'text/javascript', text: SCRIPT }],
  ['/dashboard.css', { type: 'text/css', text: STYLE }],
  ['/icon.svg', { type: 'image/svg+xml', text: ICON }],
]);
