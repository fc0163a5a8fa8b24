// Why the number of workers changes.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { clock, plain, some } from '../format.js';
import { icon } from '../icons.js';
import { card, empty, loading, page, pager, table, text, time } from '../parts.js';
import { resize } from '../actions.js';
import { manager, state } from '../state.js';
import { timeline } from '../timeline.js';

const perPage = 50;
const skip = () => Math.max(0, Number(state.args.get('skip')) || 0);

export const load = () => get('decisions');

const direction = d => (d.target > d.workers ? 'up' : d.target < d.workers ? 'down' : 'same');
const change = d =>
  html`<span class="change ${direction(d)}"
    >${icon(direction(d))}<span>${d.workers} → ${d.target}</span
    ><span class="sr">${{ up: 'more', down: 'fewer', same: 'as before' }[direction(d)]}</span></span
  >`;

const reason = (d, kind) => html`<bdi class=${kind} title=${plain(d.reason)}>${plain(d.reason)}</bdi>`;

// decisions is a short list of them.
export const decisions = list =>
  list.length
    ? html`<ul class="list">
        ${list.map(
          d => html`<li><span class="dim num">${clock(d.at)}</span>${change(d)}${reason(d, 'grow cut')}</li>`,
        )}
      </ul>`
    : empty('The scaler has decided nothing yet.');

export function view(data) {
  const t = state.tick;
  const about = t
    ? `The scaler “${manager().scaler}” chooses the number of workers, from ${t.min} to ${t.max}.`
    : 'The scaler chooses the number of workers.';
  return page(
    'Scaling',
    about,
    html`${t && resize() !== nothing ? html`<p class="bar-row">${resize()}</p>` : nothing}
    ${timeline(['workers', 'queue', 'wait'])}
    ${card(
      'Decisions, the newest first',
      !data
        ? loading()
        : data.decisions.length
          ? html`${table(
              'Decisions of the scaler, the newest first',
              [
                ['Time', d => time(d.at), 'num'],
                ['Workers', change],
                ['Reason', d => text(d.reason), 'wide block'],
              ],
              data.decisions.slice(skip(), skip() + perPage),
              d => d.number,
            )}${data.forgotten ? html`<p class="note">${some(data.forgotten, 'older decision')} forgotten.</p>` : nothing}`
          : empty('The scaler has decided nothing yet. It is asked whenever the load changes.'),
    )}
    ${pager('scaling', skip(), perPage, data?.decisions.length ?? 0)}`,
  );
}
