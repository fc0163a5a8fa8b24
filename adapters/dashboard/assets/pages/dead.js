// Tasks of a cluster that were given up: why, and what can be done with them.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { lines, plain, some, whole } from '../format.js';
import { chip, clusterKindLink, empty, loading, page, search, table, text, time } from '../parts.js';
import { deleteLetter, retryLetter } from '../actions.js';
import { change, link } from '../route.js';
import { can, state } from '../state.js';

const limit = 100;
const long = 160; // characters of a reason that are shown as they are
const argument = name => state.args.get(name) ?? '';
const wanted = () => ({ q: argument('q'), kind: argument('kind') });

export const load = () => get('dead', { ...wanted(), limit });

let typing;
function type(q) {
  clearTimeout(typing);
  typing = setTimeout(() => change({ q }), 400); // the cluster is asked once a second
}

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

function found({ letters, total, complete }) {
  if (complete) return some(letters.length, 'dead letter');
  const all = total >= 0 ? ` of ${whole(total)}` : '';
  return `${some(letters.length, 'dead letter')}${all}; there may be more that fit`;
}

function nothingFound({ complete }) {
  if (!complete) return empty('None among the newest dead letters.');
  if (argument('q') || argument('kind')) return empty('No dead letter fits.');
  return empty('No task was given up.');
}

export function view(data) {
  const { kind } = wanted();
  return page(
    'Dead letters',
    'Tasks of the cluster that were given up, with the reasons. They are kept until their time is over, or until somebody retries or deletes them.',
    html`<div class="bar-row">
        ${search('Part of a name', argument('q'), type)}
        ${chip('kind', kind, link('dead', { q: argument('q') }))}<span
          class="note"
          role=${argument('q') ? 'status' : nothing}
          >${data ? found(data) : ''}</span
        >
      </div>
      ${data?.note ? html`<p class="banner warn">${plain(data.note)}</p>` : nothing}
      <section class="card">
        ${!data ? loading() : data.letters.length ? list(data.letters) : nothingFound(data)}
      </section>`,
  );
}
