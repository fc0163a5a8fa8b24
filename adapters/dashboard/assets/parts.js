// Parts that several pages use. All texts become text nodes or attributes, never markup.
import { html, nothing } from './lib/lit-html/lit-html.js';
import { repeat } from './lib/lit-html/directives/repeat.js';
import { clock, duration, elapsed, moment, plain, percent } from './format.js';
import { icon } from './icons.js';
import { link } from './route.js';
import { now, state } from './state.js';

const words = { success: 'succeeded', failure: 'failed', panic: 'panicked' };

// badge shows a state or an outcome as an icon and a word. An outcome that a later server adds
// is shown under its own name.
export function badge(name) {
  const known = /^[a-z_]+$/.test(name) ? name : 'ended';
  return html`<span class="badge is-${known}"
    >${icon(name)}${words[name] ?? name.replaceAll('_', ' ')}</span
  >`;
}

// outcomeOf is the outcome of an execution, with panics apart.
export const outcomeOf = e => (e.outcome === 'failure' && e.type === 'panic' ? 'panic' : e.outcome);

// errorOf is the error of an execution, for a place that shows the name of the task already.
export const errorOf = e => {
  const prefix = `taskmanager: task ${JSON.stringify(exact(e))}: `;
  return plain(e.error?.startsWith(prefix) ? e.error.slice(prefix.length) : e.error);
};

// text shows a name or an error on one line, in full when pointed at.
export const text = s => (s ? html`<bdi class="cut" title=${plain(s)}>${plain(s)}</bdi>` : nothing);

// exact is the name that the server knows a task by; the shown one may be escaped or clipped.
const exact = row => row.id ?? row.name;

// taskLink leads to the page of a task. Keys j and k move between these links. The server leaves the
// id empty if no address can hold the name; such a task has no page.
export const taskLink = row =>
  row.id === ''
    ? text(row.name)
    : html`<a
        class="cut row-link"
        data-row
        title=${plain(row.name)}
        href=${link('task', { name: exact(row) })}
        ><bdi>${plain(row.name)}</bdi></a
      >`;

// kindLink and keyLink lead to the outstanding tasks of a kind or a key.
export const kindLink = kind =>
  kind
    ? html`<a class="cut" title=${plain(kind)} href=${link('tasks', { kind })}><bdi>${plain(kind)}</bdi></a>`
    : nothing;
export const keyLink = key =>
  key
    ? html`<a class="cut" title=${plain(key)} href=${link('tasks', { key })}><bdi>${plain(key)}</bdi></a>`
    : nothing;

// clusterKindLink leads to the tasks of a kind of a cluster, or to its dead letters. kindID is empty if no
// address can hold the kind.
export const clusterKindLink = (row, to = 'tasks') => {
  const kind = row.kindID ?? row.kind;
  if (!row.kind) return nothing;
  return kind
    ? html`<a class="cut" title=${plain(row.kind)} href=${link(to, { kind })}><bdi>${plain(row.kind)}</bdi></a>`
    : text(row.kind);
};

// time shows a moment of the day, with the full time when pointed at.
export function time(t) {
  if (!(t > 0)) return nothing;
  const iso = new Date(t * 1000).toISOString();
  return html`<time datetime=${iso} title=${iso}>${moment(t, now())}</time>`;
}

// since shows how long ago a moment was.
export const since = t =>
  t > 0 ? html`<span title="since ${clock(t)}">${elapsed(Math.max(0, now() - t))}</span>` : nothing;

// until shows how far away a moment is.
export const until = t =>
  t > 0
    ? html`<span title="at ${moment(t, now())}">${t > now() ? `in ${elapsed(t - now())}` : 'now'}</span>`
    : nothing;

// trace leads to the trace of an execution, if the program has told where traces are.
export function trace(id) {
  if (!id) return nothing;
  const short = `${id.slice(0, 8)}…`;
  if (!state.meta.traceURL) return html`<span class="mono" title=${id}>${short}</span>`;
  return html`<a
    class="mono"
    href=${state.meta.traceURL.replaceAll('{trace_id}', id)}
    rel="noreferrer noopener"
    target="_blank"
    title="trace ${id}, in a new tab"
    >${short}</a
  >`;
}

// bar shows a fraction. Its width is an SVG attribute: the policy of the page forbids style attributes.
export const bar = (fraction, label, kind = '') =>
  html`<svg class="bar ${kind}" role="img" aria-label=${label} viewBox="0 0 100 8" preserveAspectRatio="none">
    <rect class="track" width="100" height="8" />
    <rect class="fill" width=${100 * Math.min(1, Math.max(0, fraction))} height="8" />
  </svg>`;

// progress shows how far a task is, or why that is unknown.
export function progress(row) {
  if (row.mute)
    return html`<span class="dim" title="Its Progress method did not answer in time.">no answer</span>`;
  if (row.unasked)
    return html`<span class="dim" title="There was no time left to ask this task for its progress."
      >not asked</span
    >`;
  if (row.progressError)
    return html`<span class="cut bad-text" title=${plain(row.progressError)}
      >${plain(row.progressError)}</span
    >`;
  if (row.progress == null) return nothing;
  const words = percent(row.progress);
  return html`<span class="progress">${bar(row.progress, `${words} done`)}<span>${words}</span></span>`;
}

// card is a section with a heading.
export const card = (title, content, more = nothing) =>
  html`<section class="card">
    <h2>${title}${more}</h2>
    ${content}
  </section>`;

// all leads from a part of the overview to its page.
export const all = (page, what, args) => html`<a class="more" href=${link(page, args)}>All ${what}</a>`;

// empty says why there is nothing to show.
export const empty = content => html`<p class="empty">${content}</p>`;

export const loading = () => empty(state.error ? 'No data yet.' : 'Loading…');

// needsCollector explains what to do for a page that has no data without a collector.
export const needsCollector = what =>
  html`<section class="card explain">
    <h2>There is no collector for ${what}</h2>
    <p>
      This manager was started without one. Create a collector, start the manager with it, and give both to
      the dashboard:
    </p>
    <pre>
c := dashboard.NewCollector()
m, err := taskmanager.Start(taskmanager.WithObserver(c))
d := dashboard.New(dashboard.Manager("name", m, c))</pre>
  </section>`;

// segments is a choice between a few values, as links that survive a reload.
export const segments = (label, values, chosen, href) =>
  html`<nav class="segments" aria-label=${label}>
    ${values.map(([value, word]) => html`<a href=${href(value)} aria-current=${value === chosen ? 'true' : nothing}>${word}</a>`)}
  </nav>`;

// keysOf returns a key for each row that no other one has: shown texts may be clipped, and then be equal.
function keysOf(rows, key) {
  const seen = new Set();
  return rows.map((row, i) => {
    const own = key(row);
    if (seen.has(own)) return -1 - i; // other keys are texts, or numbers from 0 on
    seen.add(own);
    return own;
  });
}

// table shows rows under columns [heading, cell, class]. On narrow screens each row becomes a block
// whose cells carry their headings. A column may be absent; cells without content are left out there.
export function table(caption, columns, rows, key, rowClass = () => '') {
  const shown = columns.filter(Boolean);
  const keys = keysOf(rows, key);
  return html`<div class="scroll">
    <table class="fold">
      <caption class="sr">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${shown.map(([heading, , kind = '']) => html`<th scope="col" class=${kind}>${heading}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${repeat(
          rows,
          (_, i) => keys[i],
          row =>
            html`<tr class=${rowClass(row)}>
              ${shown.map(([heading, cell, kind = '']) => {
                const content = cell(row);
                return html`<td
                  class="${kind} ${content === nothing || content === '' ? 'none' : ''}"
                  data-label=${heading}
                >
                  ${content}
                </td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

// percentiles are the columns of the three percentiles of a row.
export const percentiles = (name, field) =>
  ['p50', 'p95', 'p99'].map((p, i) => [`${name} ${p}`, row => duration(row[field]?.[i]), 'r']);

// search is the field that the key / leads to.
export function search(label, value, onInput, onEnter) {
  return html`<label class="search"
    ><span class="sr">${label}</span
    ><input
      type="search"
      id="search"
      autocomplete="off"
      spellcheck="false"
      maxlength="4000"
      placeholder=${label}
      .value=${value}
      @input=${event => onInput(event.target.value)}
      @keydown=${event => {
        if (event.key === 'Enter') onEnter?.();
      }}
    /><kbd aria-hidden="true">/</kbd></label
  >`;
}

// page is the frame of each page: what it is about, in a heading and a sentence.
export const page = (title, about, content) =>
  html`<div class="title">
      <h1 id="title" tabindex="-1">${title}</h1>
      <p>${about}</p>
    </div>
    ${content}`;

// chip shows a filter, and removes it.
export const chip = (name, value, href) =>
  value
    ? html`<a class="chip" href=${href} aria-label="${name} ${plain(value)}: remove this filter"
        >${name}: <bdi class="cut">${plain(value)}</bdi><span aria-hidden="true">×</span></a
      >`
    : nothing;

// steps are the links to other pages of a list: [word, address] or nothing each, and a note between.
export function steps(back, onwards, note = nothing) {
  if (!back && !onwards) return nothing;
  const step = to => (to ? html`<a class="button" href=${to[1]}>${to[0]}</a>` : nothing);
  return html`<nav class="pages" aria-label="Pages of the list">${step(back)}${note}${step(onwards)}</nav>`;
}

// pager leads to the pages of a list of known length, by the argument skip.
export function pager(name, skip, perPage, total) {
  const to = n => link(name, { ...Object.fromEntries(state.args), skip: n || '' });
  const note = `${Math.min(skip + 1, total)} to ${Math.min(skip + perPage, total)} of ${total}`;
  return steps(
    skip ? ['Previous page', to(Math.max(0, skip - perPage))] : null,
    total > skip + perPage ? ['Next page', to(skip + perPage)] : null,
    html`<span class="note">${note}</span>`,
  );
}
