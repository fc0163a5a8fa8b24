// Tasks of a cluster that were given up: why, and what can be done with them.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { lines, whole } from '../format.js';
import { clusterKindLink, empty, table, text, time } from '../parts.js';
import { deleteLetter, retryLetter } from '../actions.js';
import { can } from '../state.js';
import { argument, listPage, loadList } from './clusterlist.js';

const long = 160; // characters of a reason that are shown as they are

export const load = () => loadList('dead');

const reason = ({ reason: r }) =>
  !r
    ? nothing
    : html`<span class="error-cell"
        ><bdi class="clamp" title=${lines(r.trim())}>${lines(r.trim())}</bdi>${
          r.length > long || r.trim().includes('\n')
            ? html`<details>
                <summary>Whole reason</summary>
                <pre class="error" tabindex="0">${lines(r)}</pre>
              </details>`
            : nothing
        }</span
      >`;

const actions = l =>
  l.letter ? html`<span class="buttons">${retryLetter(l)}${deleteLetter(l)}</span>` : nothing;

const list = letters =>
  table(
    'Dead letters, the newest first',
    [
      ['Given up', l => time(l.at), 'num'],
      [
        'Task',
        l => html`${text(l.name)}<span class="small">${clusterKindLink(l, 'dead')}</span>`,
        'name',
      ],
      ['Attempts', l => whole(l.attempts), 'r'],
      ['Reason', reason, 'error-col block'],
      letters.some(l => l.process) && ['Process', l => text(l.process), 'short'],
      (can('retry') || can('delete')) && ['Actions', actions, 'r'],
    ],
    letters,
    l => l.letter || `${l.at} ${l.name}`,
  );

function nothingFound({ complete }) {
  if (!complete) return empty('None among the newest dead letters.');
  if (argument('q') || argument('kind')) return empty('No dead letter fits.');
  return empty('No task was given up.');
}

export const view = data =>
  listPage({
    title: 'Dead letters',
    about:
      'Tasks of the cluster that were given up, with the reasons. They are kept until their time is over, or until somebody retries or deletes them.',
    here: 'dead',
    word: 'dead letter',
    data,
    rows: data?.letters,
    table: list,
    none: nothingFound,
  });
