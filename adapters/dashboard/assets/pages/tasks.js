// Tasks that are outstanding: they run, or will run.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { duration, plain, some, whole } from '../format.js';
import {
  badge,
  chip,
  empty,
  keyLink,
  kindLink,
  loading,
  page,
  progress,
  search,
  segments,
  steps,
  since,
  table,
  taskLink,
  text,
  until,
} from '../parts.js';
import { change, link } from '../route.js';
import { state } from '../state.js';

const perPage = 50;
const states = [
  ['', 'all'],
  ['running', 'running'],
  ['blocked', 'blocked'],
  ['queued', 'queued'],
  ['delayed', 'delayed'],
  ['restarting', 'restarting'],
];
const filters = ['q', 'state', 'kind', 'key', 'after'];

const argument = name => state.args.get(name) ?? '';
const wanted = () => Object.fromEntries(filters.map(f => [f, argument(f)]));

export const load = () => get('tasks', { ...wanted(), limit: perPage });

// when says how long a task has been in its state, or when that ends.
function when(row) {
  if (row.due && (row.state === 'delayed' || row.state === 'restarting')) return until(row.due);
  return html`<span>for ${since(row.state === 'queued' ? row.queued : (row.started ?? row.queued))}</span>`;
}

// second is a smaller line below the name of a task.
const second = (s, before = '', kind = 'dim') =>
  s ? html`<bdi class="cut small ${kind}" title=${plain(s)}>${before}${plain(s)}</bdi>` : nothing;

// moves says whether the progress of a task may change.
const moves = row =>
  (row.state === 'running' || row.state === 'blocked') &&
  (row.progress != null || row.mute || row.unasked || row.progressError);

// rows is the table of tasks, also of those in the queue. first are columns before the name.
export const rows = (caption, tasks, first) =>
  table(
    caption,
    [
      ...first,
      [
        'Task',
        row =>
          html`${taskLink(row)}${second(row.description)}${second(row.error, 'last error: ', 'bad-text')}`,
        'name',
      ],
      ['Kind', row => kindLink(row.kind), 'short'],
      tasks.some(row => row.key) && ['Key', row => keyLink(row.key), 'short'],
      tasks.some(row => row.priority) && [
        'Priority',
        row => (row.priority ? whole(row.priority) : nothing),
        'r',
      ],
      tasks.some(moves) && ['Progress', row => (moves(row) ? progress(row) : nothing)],
      tasks.some(row => row.restarts) && ['Restarts', row => row.restarts || nothing, 'r'],
      ['Time', when, 'r'],
      tasks.some(row => row.deadline) && ['Deadline', row => until(row.deadline), 'r'],
    ],
    tasks,
    row => row.id || row.name,
  );

// found says how much of the tasks the answer covers. An incomplete answer never reads as none.
function found(data) {
  if (!data) return '';
  const n = data.tasks.length;
  if (data.complete && !data.more && !argument('after')) return n === 1 ? 'one task' : `${whole(n)} tasks`;
  if (data.complete || data.more)
    return `${some(n, 'task')} on this page${data.more ? '; there are more' : ''}`;
  return `${some(n, 'task')} among the ${whole(data.scanned)} that were looked at in ${duration(data.took)}; the search goes on with the next page`;
}

const filter = name => chip(name, argument(name), link('tasks', { ...wanted(), [name]: '', after: '' }));

let typing;
function type(q) {
  clearTimeout(typing);
  typing = setTimeout(() => change({ q, after: '' }), 200); // one request for a word, not one for each letter
}

function nothingFound(data) {
  if (!data.complete)
    return empty(
      html`None among the ${whole(data.scanned)} tasks that were looked at for this page. The next page goes on
      from there; a whole name is found at once.`,
    );
  if (argument('after')) return empty('No further task fits.');
  if (filters.some(argument))
    return empty(
      html`No outstanding task fits. Ended tasks that failed are under
        <a href=${link('failures', { name: argument('q') })}>Failures</a>.`,
    );
  return empty('No task is outstanding.');
}

export function view(data) {
  const open = () => document.querySelector('[data-row]')?.click();
  const to = after => link('tasks', { ...wanted(), after });
  return page(
    'Tasks',
    html`All tasks that run, wait, or will run again. Ended tasks are not kept; see
      <a href=${link('failures')}>Failures</a>.`,
    html` <div class="bar-row">
        ${search('Part of a name', argument('q'), type, open)}
        ${segments('State', states, argument('state'), s => link('tasks', { ...wanted(), state: s, after: '' }))}
        ${filter('kind')}${filter('key')}<span class="note" role=${argument('q') ? 'status' : nothing}
          >${found(data)}</span
        >
      </div>
      <section class="card">
        ${!data ? loading() : data.tasks.length ? rows('Outstanding tasks', data.tasks, [['State', row => badge(row.state)]]) : nothingFound(data)}
      </section>
      ${steps(
        argument('after') ? ['First page', to('')] : null,
        data?.next ? ['Next page', to(data.next)] : null,
      )}`,
  );
}
