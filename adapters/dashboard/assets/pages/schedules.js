// Timetables: what runs when, and how the last run ended.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { plain } from '../format.js';
import { badge, empty, loading, page, since, table, text, time, until } from '../parts.js';
import { schedule } from '../actions.js';
import { can } from '../state.js';

export const load = () => get('schedules');

const name = s => html`<bdi class="cut strong" title=${plain(s.name)}>${plain(s.label || s.name)}</bdi>${s.label && s.label !== s.name ? html`<bdi class="cut dim small">${plain(s.name)}</bdi>` : nothing}`;

function next(s) {
  if (s.paused) return badge('paused');
  if (!s.next) return html`<span class="dim">never again</span>`;
  return html`${until(s.next)} <span class="dim small">${time(s.next)}</span>`;
}

const upcoming = s => {
  const later = (s.upcoming ?? []).filter(t => t > s.next);
  return later.length ? html`<span class="times">${later.map(time)}</span>` : nothing;
};

const last = s => (s.last ? html`${badge(s.last.outcome)} <span class="dim small">${since(s.last.at)} ago</span>${s.last.error ? html`<bdi class="cut bad-text small" title=${plain(s.last.error)}>${plain(s.last.error)}</bdi>` : nothing}` : html`<span class="dim">has not run yet</span>`);

export function view(data) {
  const list = data?.schedules ?? [];
  return page('Schedules', 'Tasks that are submitted by a timetable. A run is skipped while the one before still runs, unless the schedule says otherwise.', html`
    <section class="card">${!data ? loading() : list.length ? table('Schedules', [
    ['Schedule', name, 'name'],
    ['Timetable', s => text(s.times), 'mono'],
    ['State', s => badge(s.running ? 'running' : s.paused ? 'paused' : 'idle')],
    ['Next run', next],
    ['After that', upcoming],
    ['Last run', last],
    ['Skipped', s => s.skipped || '0', 'r'],
    (can('run') || can('pause')) && ['Actions', s => html`<span class="buttons">${schedule(s)}</span>`],
  ], list, s => s.name) : empty('This manager has no schedules. A program adds them with Schedule.')}</section>`);
}
