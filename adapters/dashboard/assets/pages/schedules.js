// Timetables: what runs when, and how the last run ended.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { plain } from '../format.js';
import { badge, empty, loading, page, since, table, text, time, until } from '../parts.js';
import { runNow } from '../actions.js';
import { can } from '../state.js';

export const load = () => get('schedules');

const name = s =>
  html`<bdi class="cut strong" title=${plain(s.name)}>${plain(s.label || s.name)}</bdi
    >${s.label && s.label !== s.name ? html`<bdi class="cut dim small">${plain(s.name)}</bdi>` : nothing}`;

function next(s) {
  if (s.paused) return html`<span class="dim">when resumed</span>`;
  if (!(s.next > 0)) return html`<span class="dim">never again</span>`;
  return html`<span>${until(s.next)}<br /><span class="dim small">${time(s.next)}</span></span>`;
}

const upcoming = s => {
  const later = (s.upcoming ?? []).filter(t => t > s.next);
  return later.length ? html`<span class="times">${later.map(time)}</span>` : nothing;
};

const last = s =>
  s.last
    ? html`<span class="num"
          >${badge(s.last.outcome)} <span class="dim small">${since(s.last.at)} ago</span></span
        >${s.last.error ? html`<bdi class="cut bad-text small" title=${plain(s.last.error)}>${plain(s.last.error)}</bdi>` : nothing}`
    : html`<span class="dim">has not run yet</span>`;

export function view(data) {
  const list = data?.schedules ?? [];
  return page(
    'Schedules',
    'Tasks that are submitted by a timetable.',
    html` <section class="card">
      ${
        !data
          ? loading()
          : list.length
            ? table(
                'Schedules',
                [
                  ['Schedule', name, 'name'],
                  ['Timetable', s => text(s.times), 'mono'],
                  ['State', s => badge(s.running ? 'running' : s.paused ? 'paused' : 'idle')],
                  ['Next run', next, 'next block'],
                  ['After that', upcoming, 'block'],
                  ['Last run', last, 'block'],
                  ['Skipped', s => s.skipped || '0', 'r'],
                  can('run') && ['Action', runNow, 'block'],
                ],
                list,
                s => s.id || s.name,
              )
            : empty('This manager has no schedules. A program adds them with Every or Repeat.')
      }
    </section>`,
  );
}
