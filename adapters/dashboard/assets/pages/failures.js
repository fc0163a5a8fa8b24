// Executions that the collector remembers, above all those that failed.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { duration, lines, plain, some } from '../format.js';
import {
  badge,
  chip,
  empty,
  errorOf,
  kindLink,
  loading,
  needsCollector,
  outcomeOf,
  page,
  search,
  segments,
  steps,
  table,
  taskLink,
  time,
  trace,
} from '../parts.js';
import { change, link } from '../route.js';
import { state } from '../state.js';

const perPage = 50;
const outcomes = [
  ['', 'all but success'],
  ['failure', 'failed'],
  ['panic', 'panicked'],
  ['cancelled', 'cancelled'],
  ['success', 'succeeded'],
];
const nothings = { panic: 'Nothing has panicked.', cancelled: 'Nothing was cancelled.' };
const filters = ['outcome', 'kind', 'name', 'skip'];

const argument = name => state.args.get(name) ?? '';
const wanted = () => Object.fromEntries(filters.map(f => [f, argument(f)]));
const skip = () => Math.max(0, Number(argument('skip')) || 0);

// One more than a page shows whether there is another page.
export const load = () => get('history', { ...wanted(), limit: perPage + 1 });

let typing;
function type(name) {
  clearTimeout(typing);
  typing = setTimeout(() => change({ name, skip: '' }), 200); // one request for a word, not one for each letter
}

// telling says whether the type of an error tells more than that it is an error.
const telling = type =>
  type && !['*errors.errorString', '*fmt.wrapError', '*fmt.wrapErrors', '*errors.joinError'].includes(type);

const error = e =>
  html`<span class="error-cell"
    >${telling(e.type) ? html`<span class="mono dim">${plain(e.type)}</span> ` : nothing}<bdi
      class="clamp"
      title=${plain(e.error)}
      >${errorOf(e)}</bdi
    >${
      e.stack
        ? html`<details>
            <summary>Stack</summary>
            <pre class="stack" tabindex="0">${lines(e.stack)}</pre>
          </details>`
        : nothing
    }</span
  >`;

function none() {
  const outcome = argument('outcome');
  if (outcome === 'success')
    return empty('No success is remembered that fits. Only some successes are kept, as samples.');
  if (argument('kind') || argument('name') || skip()) return empty('No remembered execution fits.');
  return empty(nothings[outcome] ?? 'Nothing has failed.');
}

export function view(data) {
  const about =
    'The latest executions that did not succeed, with their errors. Successes are kept as samples.';
  if (data && !data.available) return page('Failures', about, needsCollector('failures'));
  const list = (data?.executions ?? []).slice(0, perPage);
  const kind = argument('kind');
  const to = n => link('failures', { ...wanted(), skip: n || '' });
  const further = data && data.executions.length > perPage;
  return page(
    'Failures',
    about,
    html`<div class="bar-row">
        ${search('Part of a name', argument('name'), type)}
        ${segments('Outcome', outcomes, argument('outcome'), o => link('failures', { ...wanted(), outcome: o, skip: '' }))}
        ${chip('kind', kind, link('failures', { ...wanted(), kind: '', skip: '' }))}
        ${data?.forgotten ? html`<span class="note">${some(data.forgotten, 'older execution')} forgotten</span>` : nothing}
      </div>
      <section class="card">
        ${
          !data
            ? loading()
            : list.length
              ? table(
                  'Remembered executions, the newest first',
                  [
                    ['Ended', e => time(e.at), 'num'],
                    ['How', e => badge(outcomeOf(e))],
                    ['Task', e => html`${taskLink(e)}<span class="small">${kindLink(e.kind)}</span>`, 'name'],
                    list.some(e => e.attempt > 1) && ['Attempt', e => e.attempt || nothing, 'r'],
                    ['Waited', e => duration(e.waited), 'r'],
                    ['Ran', e => (e.attempt ? duration(e.took) : 'never ran'), 'r'],
                    list.some(e => e.error) && [
                      'Error',
                      e => (e.error || e.stack ? error(e) : nothing),
                      'error-col block',
                    ],
                    list.some(e => e.trace) && ['Trace', e => trace(e.trace)],
                  ],
                  list,
                  e => e.seq,
                )
              : none()
        }
      </section>
      ${steps(
        skip() ? ['Newer', to(Math.max(0, skip() - perPage))] : null,
        further ? ['Older', to(skip() + perPage)] : null,
      )}`,
  );
}
