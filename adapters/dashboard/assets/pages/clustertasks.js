// Outstanding tasks of a cluster: those that processes run, and those that wait.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { plain, some } from '../format.js';
import { badge, clusterKindLink, empty, progress, since, table, text, until } from '../parts.js';
import { cancelTask } from '../actions.js';
import { link } from '../route.js';
import { can } from '../state.js';
import { argument, listPage, loadList } from './clusterlist.js';

export const load = () => loadList('cluster-tasks');

// nameOf leads to the search for the whole name, unless no address can hold it.
const nameOf = row =>
  row.id === ''
    ? text(row.name)
    : html`<a class="cut row-link" data-row title=${plain(row.name)} href=${link('tasks', { q: row.id ?? row.name })}
        ><bdi>${plain(row.name)}</bdi></a
      >`;

const second = (s, before = '', kind = 'dim') =>
  s ? html`<bdi class="cut small ${kind}" title=${plain(s)}>${before}${plain(s)}</bdi>` : nothing;

function when(row) {
  if (row.due && (row.state === 'delayed' || row.state === 'restarting')) return until(row.due);
  const from = row.state === 'running' || row.state === 'blocked' ? (row.started ?? row.queued) : row.queued;
  return from ? html`<span>for ${since(from)}</span>` : nothing;
}

const time = row =>
  html`${when(row)}${row.deadline ? html`<span class="small dim lines">deadline ${until(row.deadline)}</span>` : nothing}${row.restarts ? html`<span class="small dim lines">${some(row.restarts, 'restart')}</span>` : nothing}`;

const moves = row => row.progress != null && (row.state === 'running' || row.state === 'blocked');

const list = tasks =>
  table(
    'Outstanding tasks of the cluster',
    [
      [
        'State',
        row =>
          html`${badge(row.state)}${row.level ? html`<span class="small dim lines">${plain(row.level)} priority</span>` : nothing}`,
      ],
      [
        'Task',
        row => html`${nameOf(row)}${second(row.description)}${second(row.error, 'last error: ', 'bad-text')}`,
        'name',
      ],
      ['Kind', row => html`${clusterKindLink(row)}${second(row.key, 'key ')}`, 'short'],
      tasks.some(row => row.process) && ['Process', row => text(row.process), 'short'],
      tasks.some(moves) && ['Progress', row => (moves(row) ? progress(row) : nothing)],
      ['Time', time, 'r'],
      can('cancel') && ['Action', row => cancelTask(row.id ?? row.name, row.name, true), 'r'],
    ],
    tasks,
    row => row.id || row.name,
  );

function nothingFound({ complete }) {
  if (!complete) return empty('None among the tasks that were looked at. A whole name is found in any case.');
  if (argument('q') || argument('kind'))
    return empty(
      html`No outstanding task fits. Tasks that were given up are under
        <a href=${link('dead', { q: argument('q') })}>Dead letters</a>.`,
    );
  return empty('No task is outstanding.');
}

export const view = data =>
  listPage({
    title: 'Tasks',
    about: 'Tasks of the cluster that run, wait, or will run again. Those that run come first.',
    here: 'tasks',
    word: 'task',
    data,
    rows: data?.tasks,
    open: () => document.querySelector('[data-row]')?.click(),
    table: list,
    none: nothingFound,
  });
