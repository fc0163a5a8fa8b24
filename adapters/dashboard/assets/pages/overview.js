// The first page: is all well, and if not, where to look.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { clock, count, duration, percent, plain } from '../format.js';
import {
  all,
  badge,
  card,
  empty,
  errorOf,
  kindLink,
  keyLink,
  loading,
  needsCollector,
  outcomeOf,
  page,
  since,
  table,
  taskLink,
} from '../parts.js';
import { manager, state } from '../state.js';
import { timeline } from '../timeline.js';
import { decisions } from './scaling.js';
import { tiles, verdict } from './tiles.js';

const worst = 5; // rows of each list

export const load = async () => {
  const [kinds, keys, history] = await Promise.all([
    get('kinds'),
    get('keys'),
    get('history', { limit: worst }),
  ]);
  return { kinds, keys, history };
};

// keysCard is absent if no task has a key, as in most programs.
function keysCard({ available, fair, keys }) {
  if (!available || !keys.length) return nothing;
  return card(
    'Keys that wait longest',
    table(
      'The keys whose tasks wait longest',
      [
        ['Key', k => (k.key ? keyLink(k.key) : html`<span class="dim">no key</span>`), 'name'],
        fair && [
          'Share',
          k => html`<span title="of the run time of the last minute">${percent(k.share)}</span>`,
          'r',
        ],
        fair && [
          'By weight',
          k => html`<span title="what its weight entitles it to">${percent(k.deserved)}</span>`,
          'r',
        ],
        ['Running', k => count(k.running), 'r'],
        ['Wait p95', k => duration(k.wait[1]), 'r strong'],
      ],
      keys.slice(0, worst),
      k => k.key,
    ),
    all('keys', 'keys'),
  );
}

const kindsCard = ({ available, kinds }) =>
  !available
    ? nothing
    : card(
        'Kinds',
        kinds.length
          ? table(
              'The kinds of tasks that ran most',
              [
                ['Kind', k => kindLink(k.kind), 'name'],
                ['Executions', k => count(k.succeeded + k.failed + k.cancelled), 'r'],
                ['Failed', k => percent(k.failed / Math.max(1, k.succeeded + k.failed)), 'r'],
                ['Wait p95', k => duration(k.wait[1]), 'r'],
                ['Run p95', k => duration(k.run[1]), 'r'],
              ],
              [...kinds].sort((a, b) => b.succeeded + b.failed - a.succeeded - a.failed).slice(0, worst),
              k => k.kind,
            )
          : empty('No task has ended yet.'),
        all('kinds', 'kinds'),
      );

const failuresCard = ({ available, executions }) =>
  !available
    ? nothing
    : card(
        'Latest failures',
        executions.length
          ? html`<ul class="list">
              ${executions.map(
                e =>
                  html`<li>
                    <span class="dim num">${clock(e.at)}</span>${badge(outcomeOf(e))}<span class="grow"
                      >${taskLink(e)}<bdi class="clamp dim" title=${plain(e.error)}
                        >${errorOf(e)}</bdi
                      ></span
                    >
                  </li>`,
              )}
            </ul>`
          : empty('Nothing has failed.'),
        all('failures', 'failures'),
      );

function workersCard(t) {
  const { total, workers } = t.workers;
  const busy = workers.filter(w => w.task).sort((a, b) => a.since - b.since);
  return card(
    'Longest running tasks',
    busy.length
      ? table(
          'The workers that run a task, the longest first',
          [
            ['Task', w => taskLink({ name: w.task, id: w.taskID }), 'name'],
            ['State', w => badge(w.state)],
            ['For', w => since(w.since), 'r'],
            ['Worker', w => `no. ${w.id}`, 'r'],
          ],
          busy.slice(0, worst + 1),
          w => w.id,
        )
      : empty(total ? 'All workers are idle.' : 'No worker has been started.'),
    all('workers', 'workers'),
  );
}

export function view(data) {
  const t = state.tick;
  if (!t) return page('Overview', 'What the manager does now, and what it did.', loading());
  return html`<h1 id="title" tabindex="-1" class="sr">Overview</h1>
    ${verdict(t)} ${tiles(t)} ${timeline(['workers', 'queue', 'wait', 'rate'])}
    <div class="columns">
      ${data?.keys ? keysCard(data.keys) : nothing} ${data?.kinds ? kindsCard(data.kinds) : nothing}
      ${data?.history ? failuresCard(data.history) : nothing} ${workersCard(t)}
    </div>
    ${card('Latest decisions of the scaler', decisions(state.decisions.slice(-worst).reverse()), all('scaling', 'decisions'))}
    ${manager().collector ? nothing : needsCollector('waits, kinds, keys and failures')}`;
}
