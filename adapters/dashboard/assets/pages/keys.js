// How the workers are shared between keys: tenants, customers, whatever the program uses as a key.
import { html } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { count, duration, percent, some } from '../format.js';
import { card, empty, keyLink, loading, needsCollector, page, percentiles, table } from '../parts.js';
import { manager } from '../state.js';

export const load = () => get('keys');

// shares draws what a key got as a bar, and what its weight entitles it to as a mark on it.
function shares(k) {
  if (!(k.share >= 0)) return '–';
  const label = `got ${percent(k.share)}${k.deserved >= 0 ? `, by weight ${percent(k.deserved)}` : ''}`;
  const x = Math.min(198, 200 * Math.max(0, k.deserved));
  return html`<span class="shares"
    ><svg class="share" role="img" aria-label=${label} viewBox="0 0 200 14" preserveAspectRatio="none">
      <title>${label}</title>
      <rect class="track" y="4" width="200" height="6" />
      <rect class="fill" y="4" width=${200 * Math.min(1, k.share)} height="6" />
      <rect class="mark" x=${k.deserved >= 0 ? x : -9} width="2.5" height="14" /></svg
    ><span>${percent(k.share)}</span></span
  >`;
}

// short says whether a key got much less than its weight entitles it to, although it waited longer
// than a key that got more. A key without much work gets little, and that is no fault.
const short = (k, keys) =>
  k.deserved > 0 &&
  k.share < 0.8 * k.deserved &&
  keys.some(o => o.deserved >= 0 && o.share > o.deserved && o.wait[1] < k.wait[1]);

export function view(data) {
  if (data && !data.available)
    return page('Keys', 'How the workers are shared between keys.', needsCollector('keys'));
  const about = data?.fair
    ? `How the workers are shared between keys. The bar is a key’s part of the run time of the last minute,
        the mark is what its weight entitles it to.`
    : `How long the tasks of each key wait. The discipline is “${manager().discipline}”; only a fair one gives keys weights.`;
  return page(
    'Keys',
    about,
    card(
      'Keys, those that wait longest first',
      !data
        ? loading()
        : data.keys.length
          ? html`${table(
                'Keys, those that wait longest first',
                [
                  ['Key', k => (k.key ? keyLink(k.key) : html`<span class="dim">no key</span>`), 'name'],
                  data.fair && ['Weight', k => count(k.weight), 'r'],
                  ['Share of run time', shares, 'block'],
                  data.fair && [
                    'By weight',
                    k =>
                      html`<span class=${short(k, data.keys) ? 'warn-text' : ''}
                        >${percent(k.deserved)}${short(k, data.keys) ? ', got less' : ''}</span
                      >`,
                    'r',
                  ],
                  ['Running', k => count(k.running), 'r'],
                  ['Started', k => count(k.started), 'r'],
                  ['Failed', k => count(k.failed), 'r'],
                  ...percentiles('Wait', 'wait'),
                  ['Run p95', k => duration(k.run?.[1]), 'r'],
                ],
                data.keys,
                k => k.key,
              )}
              <p class="note">
                ${some(data.keys.length, 'key')}. Shares, waits and run times are those of the last minute; started and
                failed executions are counted since the start. p95 means that 95 % are below.
              </p>`
          : empty('No task with a key has run yet. A task gets its key by WithKey, or from its Key method.'),
    ),
  );
}
