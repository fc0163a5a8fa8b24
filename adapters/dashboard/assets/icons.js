// Icons as SVG, so that they look the same with every font. They always stand beside a word.
import { svg, html } from './lib/lit-html/lit-html.js';

const shapes = {
  running: svg`<path d="M5 3.2v9.6l7.5-4.8z" fill="currentColor"/>`,
  blocked: svg`<path d="M5.5 3.5v9M10.5 3.5v9" stroke-width="2.4"/>`,
  queued: svg`<path d="M3 4.5h10M3 8h10M3 11.5h6"/>`,
  delayed: svg`<circle cx="8" cy="8" r="5.5"/><path d="M8 5v3.2l2.2 1.5"/>`,
  restarting: svg`<path d="M12.8 8A4.8 4.8 0 1 1 11 4.2M11.3 1.6v2.9H8.4"/>`,
  idle: svg`<circle cx="8" cy="8" r="4.5"/>`,
  success: svg`<path d="m3 8.5 3.3 3.3L13 4.8"/>`,
  failure: svg`<path d="m4 4 8 8M12 4l-8 8"/>`,
  panic: svg`<path d="M8 2.8v6.4" stroke-width="2.4"/><circle cx="8" cy="12.6" r="1.4" fill="currentColor" stroke="none"/>`,
  cancelled: svg`<circle cx="8" cy="8" r="5.5"/><path d="m4.2 11.8 7.6-7.6"/>`,
  ended: svg`<path d="M4 4h8v8H4z"/>`,
  paused: svg`<path d="M5.5 3.5v9M10.5 3.5v9" stroke-width="2.4"/>`,
  up: svg`<path d="M8 13V3.5M3.8 7.5 8 3.2l4.2 4.3"/>`,
  down: svg`<path d="M8 3v9.5M3.8 8.5 8 12.8l4.2-4.3"/>`,
  same: svg`<path d="M3 8h10"/>`,
  sun: svg`<circle cx="8" cy="8" r="3"/><path d="M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13"/>`,
  moon: svg`<path d="M13.2 9.8A5.6 5.6 0 0 1 6.2 2.8a5.6 5.6 0 1 0 7 7z"/>`,
  help: svg`<path d="M5.6 5.7a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2.9-1.2 1.8"/><circle cx="8" cy="12.4" r="1" fill="currentColor" stroke="none"/>`,
  logo: svg`<path d="M3.5 4.5h5M3.5 8h9M3.5 11.5h7" stroke-width="1.8"/>`,
};

// icon returns a decoration: the word beside it carries the meaning.
export const icon = name =>
  html`<svg
    class="icon"
    viewBox="0 0 16 16"
    aria-hidden="true"
    fill="none"
    stroke="currentColor"
    stroke-width="1.7"
    stroke-linecap="round"
    stroke-linejoin="round"
  >
    ${shapes[name] ?? shapes.ended}
  </svg>`;
