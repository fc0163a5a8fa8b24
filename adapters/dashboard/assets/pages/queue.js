// The tasks that run next, in the order of the discipline.
import { html } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { some, whole } from '../format.js';
import { empty, loading, page } from '../parts.js';
import { link } from '../route.js';
import { latest, manager, state } from '../state.js';
import { rows } from './tasks.js';

// The overflow policies in words.
const overflows = {
  Block: 'submitters wait for room',
  Reject: 'submits are refused',
  DropNewest: 'the new task is dropped',
  DropOldest: 'the oldest task is dropped',
  DropWorst: 'the task that ranks last is dropped',
  CallerRuns: 'the submitter runs the task itself',
};

export const load = () => get('queue');

const overflow = () => overflows[manager().overflow] ?? `the policy is ${manager().overflow}`;

// sizes says how many tasks wait, and how many of them are shown.
function sizes({ tasks, total }) {
  const all = some(total, 'queued task');
  const blocked = latest('blocked');
  return [
    tasks.length < total ? `the next ${tasks.length} of ${all}` : all,
    blocked > 0 ? `${some(blocked, 'submitter waits', 'submitters wait')} for room` : '',
  ]
    .filter(Boolean)
    .join('; ');
}

function about(data) {
  const discipline = data?.discipline || manager().discipline;
  const full =
    manager().limit > 0
      ? ` The queue holds at most ${whole(manager().limit)}; when it is full, ${overflow()}.`
      : '';
  return `The tasks that start next. The discipline “${discipline}” decides on the order.${full}`;
}

function content(data) {
  if (!data.total && !data.tasks.length) {
    const later = state.tick ? state.tick.counts.delayed + state.tick.counts.restarting : 0;
    return empty(
      html`No task waits for a
      worker.${later ? html` <a href=${link('tasks', { state: 'delayed' })}>${some(later, 'task is', 'tasks are')} due later</a>.` : ''}`,
    );
  }
  if (!data.ordered)
    return empty(
      html`${some(data.total, 'task waits', 'tasks wait')}. This queue cannot tell their order;
        <a href=${link('tasks', { state: 'queued' })}>the list of tasks</a> has them.`,
    );
  const places = new Map(data.tasks.map((row, i) => [row, i + 1]));
  return rows('The next tasks in the order in which they start', data.tasks, [
    ['Place', row => `${places.get(row)}.`, 'num'],
  ]);
}

export function view(data) {
  return page(
    'Queue',
    about(data),
    html`${data ? html`<p class="bar-row"><span class="note">${sizes(data)}</span></p>` : ''}
      <section class="card">${data ? content(data) : loading()}</section>`,
  );
}
