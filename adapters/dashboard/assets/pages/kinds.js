// Counts and times by kind of task.
import { html } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { count, percent } from '../format.js';
import { card, empty, kindLink, loading, needsCollector, page, percentiles, table } from '../parts.js';
import { link } from '../route.js';

export const load = () => get('kinds');

const about = 'Counts since the start, by kind of task. p95 means that 95 % of the times are below.';

export function view(data) {
  if (data && !data.available) return page('Kinds', about, needsCollector('kinds'));
  return page(
    'Kinds',
    about,
    card(
      'Kinds',
      !data
        ? loading()
        : data.kinds.length
          ? table(
              'Kinds of tasks',
              [
                ['Kind', k => kindLink(k.kind), 'name'],
                ['Succeeded', k => count(k.succeeded), 'r'],
                [
                  'Failed',
                  k =>
                    k.failed
                      ? html`<a href=${link('failures', { kind: k.kind })}>${count(k.failed)}</a>`
                      : '0',
                  'r',
                ],
                ['Failure rate', k => percent(k.failed / Math.max(1, k.failed + k.succeeded)), 'r'],
                ['Cancelled', k => count(k.cancelled), 'r'],
                ['Restarts', k => count(k.restarts), 'r'],
                ...percentiles('Wait', 'wait'),
                ...percentiles('Run', 'run'),
              ],
              data.kinds,
              k => k.kind,
            )
          : empty('No task has ended yet.'),
    ),
  );
}
