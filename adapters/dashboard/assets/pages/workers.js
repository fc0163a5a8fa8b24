// The workers and what they run.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { some } from '../format.js';
import {
  badge,
  empty,
  keyLink,
  kindLink,
  loading,
  page,
  pager,
  since,
  table,
  taskLink,
  trace,
} from '../parts.js';
import { resize } from '../actions.js';
import { latest, state } from '../state.js';

const perPage = 100;
const skip = () => Math.max(0, Number(state.args.get('skip')) || 0);

export const load = () => get('workers', { skip: skip() || '', limit: perPage });

const task = w => (w.task ? taskLink({ name: w.task, id: w.taskID }) : nothing);

export function view(data) {
  const t = state.tick;
  const busy = latest('busy');
  const about = t
    ? `${some(t.workers.total, 'worker')}, of which ${busy} ${busy === 1 ? 'is' : 'are'} busy. The scaler may have ${t.min} to ${t.max}.`
    : 'Workers run the tasks, one at a time each.';
  const list = data?.workers ?? [];
  return page(
    'Workers',
    about,
    html`${resize() === nothing ? nothing : html`<p class="bar-row">${resize()}</p>`}
      <section class="card">
        ${
          !data
            ? loading()
            : list.length
              ? table(
                  'Workers and what they run',
                  [
                    ['Worker', w => `no. ${w.id}`, 'num'],
                    ['State', w => badge(w.state)],
                    ['Task', task, 'name'],
                    ['Kind', w => kindLink(w.kind), 'short'],
                    list.some(w => w.key) && ['Key', w => keyLink(w.key), 'short'],
                    list.some(w => w.attempt > 1) && ['Attempt', w => w.attempt || nothing, 'r'],
                    ['In this state for', w => since(w.since), 'r'],
                    list.some(w => w.trace) && ['Trace', w => trace(w.trace)],
                  ],
                  list,
                  w => w.id,
                  w => (w.task ? '' : 'quiet'),
                )
              : empty('No worker has been started. The first task starts one.')
        }
      </section>
      ${pager('workers', skip(), perPage, data?.total ?? 0)}`,
  );
}
