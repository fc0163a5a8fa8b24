// One task: what it does now, and its attempts on a time axis of their own.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { clock, duration, lines, plain, some, whole } from '../format.js';
import {
  badge,
  card,
  empty,
  keyLink,
  kindLink,
  loading,
  outcomeOf,
  page,
  progress,
  since,
  table,
  time,
  trace,
  until,
} from '../parts.js';
import { cancelTask } from '../actions.js';
import { link } from '../route.js';
import { manager, now, state } from '../state.js';

const name = () => state.args.get('name') ?? '';

export const load = () => get('task', { name: name() });

const fact = (label, value) =>
  value === nothing || value === '' || value == null
    ? nothing
    : html`<div>
        <dt>${label}</dt>
        <dd>${value}</dd>
      </div>`;

const running = t => t.started && (t.state === 'running' || t.state === 'blocked');
const ago = t => (t ? html`${time(t)} <span class="dim">(${since(t)} ago)</span>` : nothing);
const ahead = t => (t ? html`${time(t)} <span class="dim">(${until(t)})</span>` : nothing);

const facts = t =>
  html`<dl class="facts">
    ${fact('Kind', kindLink(t.kind))} ${fact('Key', keyLink(t.key))}
    ${fact('Priority', t.priority ? whole(t.priority) : nothing)}
    ${fact('Attempt', t.attempt ? `no. ${t.attempt}` : nothing)} ${fact('Restarts', t.restarts || nothing)}
    ${fact('Worker', t.worker ? `no. ${t.worker}` : nothing)} ${fact('Queued', ago(t.queued))}
    ${fact('Started', running(t) ? ago(t.started) : nothing)} ${fact('Due', ahead(t.due))}
    ${fact('Deadline', ahead(t.deadline))} ${fact('Trace', trace(t.trace))} ${fact('Progress', progress(t))}
  </dl>`;

const nowCard = t =>
  card(
    html`Now ${badge(t.state)}`,
    html`${t.description ? html`<p class="description"><bdi>${plain(t.description)}</bdi></p>` : nothing}${facts(t)}
    ${t.error ? html`<p class="bad-text">Last error: <bdi>${plain(t.error)}</bdi></p>` : nothing}`,
    html`<span class="more">${cancelTask(t.id ?? t.name, t.name)}</span>`,
  );

// attempts returns what is known of each attempt, oldest first: the wait from begin to start, and
// the execution from start to end.
function attempts({ task, past }) {
  const known = [...past].reverse().map(e => ({
    ...e,
    begin: e.at - e.took - e.waited,
    start: e.at - e.took,
    end: e.at,
    outcome: outcomeOf(e),
  }));
  if (task && running(task)) {
    known.push({
      seq: 'now',
      attempt: task.attempt,
      begin: Math.min(task.queued ?? task.started, task.started),
      start: task.started,
      end: now(),
      outcome: 'running',
      took: now() - task.started,
      waited: -1,
      trace: task.trace,
    });
  }
  return known;
}

// lane draws an attempt between the first begin and the last end.
function lane(a, from, to) {
  const x = t => 1000 * Math.max(0, (t - from) / Math.max(to - from, 1e-6));
  const label = `${a.waited >= 0 ? `waited ${duration(a.waited)}, ` : ''}ran ${duration(a.took)}, from ${clock(a.start)} to ${clock(a.end)}`;
  return html`<svg
    class="lane is-${a.outcome}"
    role="img"
    aria-label=${label}
    viewBox="0 0 1000 16"
    preserveAspectRatio="none"
  >
    <title>${label}</title>
    <rect class="waited" x=${x(a.begin)} y="6" width=${Math.max(0, x(a.start) - x(a.begin))} height="4" />
    <rect
      class="ran"
      x=${Math.min(996, x(a.start))}
      y="1"
      width=${Math.max(4, x(a.end) - x(a.start))}
      height="14"
      rx="1"
    />
  </svg>`;
}

function timelineCard(data) {
  const known = attempts(data);
  if (!known.length) return nothing;
  const from = Math.min(...known.map(a => a.begin));
  const to = Math.max(...known.map(a => a.end));
  return card(
    'Attempts',
    html`<p class="note">
        From ${clock(from)} to ${clock(to)}, ${duration(to - from)} in all. The thin line is the wait, the bar
        is the execution.
      </p>
      ${table(
        'Attempts on a common time axis, the oldest first',
        [
          ['Attempt', a => (a.attempt ? `no. ${a.attempt}` : 'never ran'), 'num'],
          ['Outcome', a => badge(a.outcome)],
          ['When', a => lane(a, from, to), 'lane-cell block'],
          ['Waited', a => duration(a.waited), 'r'],
          ['Ran', a => (a.attempt ? duration(a.took) : nothing), 'r'],
          ['Ended', a => (a.seq === 'now' ? 'still runs' : time(a.end)), 'r'],
          ['Trace', a => trace(a.trace)],
        ],
        known,
        a => a.seq,
      )}`,
  );
}

function failuresCard(past) {
  const failed = past.filter(e => e.error || e.stack);
  if (!failed.length) return nothing;
  return card(
    'Errors, the newest first',
    html`<ul class="errors">
      ${failed.map(
        e =>
          html`<li>
            <p class="error-head">
              ${badge(outcomeOf(e))}<span class="dim"
                >attempt ${e.attempt},
                ${time(e.at)}${e.type ? html`, <span class="mono">${plain(e.type)}</span>` : nothing}</span
              >
            </p>
            <pre class="error">${lines(e.error)}</pre>
            ${
              e.stack
                ? html`<details>
                    <summary>Stack</summary>
                    <pre class="stack" tabindex="0">${lines(e.stack)}</pre>
                  </details>`
                : nothing
            }
          </li>`,
      )}
    </ul>`,
  );
}

function ended({ past }) {
  if (past.length)
    return html`<p class="banner">
      <span
        >This task has ended. Its latest known execution
        ${outcomeOf(past[0]) === 'success' ? 'succeeded' : 'did not succeed'}${past[0].at ? html`, ${since(past[0].at)} ago` : nothing}.</span
      >
    </p>`;
  return html`<section class="card explain">
    <h2>Nothing is known of this task</h2>
    <p>
      No outstanding task has this name.
      ${
        manager().collector
          ? 'If it has ended, it is not among the executions that the collector remembers.'
          : 'Ended tasks are known only with a collector.'
      }
    </p>
    <p><a href=${link('tasks', { q: name() })}>Search for names that contain it</a></p>
  </section>`;
}

const noPast = () =>
  manager().collector
    ? 'No execution of it has ended yet.'
    : 'Its earlier executions are known only with a collector.';

export const heading = () => name();

export function view(data) {
  const shown = plain(data?.task?.name ?? data?.past[0]?.name ?? name());
  const about = data?.past.length
    ? `A task, with ${some(data.past.length, 'remembered execution')}.`
    : 'A task.';
  return page(
    html`<bdi class="task-name">${shown}</bdi>`,
    about,
    !data
      ? loading()
      : html` ${data.task ? nowCard(data.task) : ended(data)}${timelineCard(data)}${failuresCard(data.past)}
        ${data.task && !data.past.length ? empty(noPast()) : nothing}`,
  );
}
