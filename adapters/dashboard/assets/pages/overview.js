// The first page: is all well, and if not, where to look.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { pauseManager } from '../actions.js';
import { get } from '../api.js';
import { count, clock, duration, elapsed, percent, plain, some, unknown } from '../format.js';
import { icon } from '../icons.js';
import { all, badge, bar, card, empty, kindLink, keyLink, loading, needsCollector, outcomeOf, page, since, table, taskLink } from '../parts.js';
import { link } from '../route.js';
import { latest, manager, mean, state } from '../state.js';
import { timeline } from '../timeline.js';
import { decisions } from './scaling.js';

const worst = 5; // rows of each list
const alarming = { part: 0.1, perSecond: 0.3 }; // failed executions that are pointed out: few are no alarm

export const load = async () => {
  const [kinds, keys, history] = await Promise.all([get('kinds'), get('keys'), get('history', { limit: worst })]);
  return { kinds, keys, history };
};

// oldest says how long the oldest task waits, if the manager measures it.
const oldest = () => (latest('oldest') >= 0 ? elapsed(latest('oldest')) : '');

// failing returns the part of the executions of the last ten seconds that failed.
function failing() {
  const failed = mean('failed', 10);
  const succeeded = mean('succeeded', 10);
  return failed < 0 ? -1 : failed / Math.max(failed + succeeded, 1e-9);
}

const alarm = () => failing() > alarming.part && mean('failed', 10) > alarming.perSecond;

const stopped = {
  stopped: ['bad', 'The manager has stopped. No task runs any more.'],
  draining: ['warn', 'The manager is draining. It runs the remaining tasks, takes no others, and then stops.'],
  paused: ['warn', 'The manager is paused. Running tasks continue, and no other task starts.'],
};

// verdict says in a sentence what is going on, with how bad it is.
function verdict(t) {
  if (stopped[t.state]) return stopped[t.state];
  const busy = latest('busy');
  const queued = latest('queued');
  const blocked = latest('blocked');
  if (alarm()) return ['bad', `${percent(failing())} of the executions of the last ten seconds failed.`];
  if (blocked > 0) return ['warn', `The queue is full: ${some(blocked, 'submitter waits', 'submitters wait')} for room.`];
  if (queued > 0 && busy >= t.max) return ['warn', `All ${t.max} workers are busy, and ${some(queued, 'task waits', 'tasks wait')}${oldest() ? `, the oldest for ${oldest()}` : ''}.`];
  if (queued > 0) return ['ok', `${some(busy, 'worker is', 'workers are')} busy, and ${some(queued, 'task waits', 'tasks wait')}.`];
  if (busy > 0) return ['ok', `${some(busy, 'worker is', 'workers are')} busy, and no task waits.`];
  return ['ok', 'No task runs, and none waits.'];
}

const tile = (name, value, note, href, level = '') => html`<a class="tile ${level}" href=${href}><span class="name">${name}</span><span class="value">${value}</span><span class="note">${note}</span></a>`;

// spread says what percentiles mean.
const spread = p => (p?.[0] >= 0 ? `half under ${duration(p[0])}, 99 % under ${duration(p[2])}` : 'none in the last 10 s');

function tiles(t) {
  const busy = latest('busy');
  const workers = latest('workers');
  const queued = latest('queued');
  const part = failing();
  const later = t.counts.delayed + t.counts.restarting;
  const perSecond = name => { const v = mean(name, 10); return v < 0 ? unknown : count(Math.round(10 * v) / 10); };
  const wait = t.recent.wait;
  const run = t.recent.run;
  return html`<div class="tiles">
    ${tile('Workers busy', html`${count(busy)} <small>of ${count(workers)}</small>`, html`${bar(busy / Math.max(1, t.max), `${busy} of at most ${t.max} workers are busy`)}<span>${t.min} to ${t.max} allowed</span>`, link('workers'))}
    ${tile('Tasks queued', html`${count(queued)}${t.limit > 0 ? html` <small>of ${count(t.limit)}</small>` : nothing}`, html`${queued > 0 ? (oldest() ? `the oldest for ${oldest()}` : 'wait for a worker') : 'nothing waits for a worker'}${later ? `; ${count(later)} due later` : ''}`, link('queue'), latest('blocked') > 0 ? 'warn' : '')}
    ${tile('Succeeded', html`${perSecond('succeeded')} <small>per second</small>`, `${count(t.counts.succeeded)} since the start`, link('failures', { outcome: 'success' }))}
    ${tile('Failed', percent(part), part < 0 ? 'unknown without a collector' : `${perSecond('failed')} per second`, link('failures'), alarm() ? 'bad' : '')}
    ${manager().collector ? html`${tile('Wait, 95 % under', duration(wait[1]), spread(wait), link('kinds'))}
    ${tile('Run, 95 % under', duration(run[1]), spread(run), link('kinds'))}` : nothing}
  </div>`;
}

// keysCard is absent if no task has a key, as in most programs.
function keysCard({ available, fair, keys }) {
  if (!available || !keys.length) return nothing;
  return card('Keys that wait longest', table('The keys whose tasks wait longest', [
    ['Key', k => (k.key ? keyLink(k.key) : html`<span class="dim">no key</span>`), 'name'],
    fair && ['Share', k => html`<span title="of the run time of the last minute">${percent(k.share)}</span>`, 'r'],
    fair && ['By weight', k => html`<span title="what its weight entitles it to">${percent(k.deserved)}</span>`, 'r'],
    ['Running', k => count(k.running), 'r'],
    ['Wait p95', k => duration(k.wait[1]), 'r strong'],
  ], keys.slice(0, worst), k => k.key), all('keys', 'keys'));
}

const kindsCard = ({ available, kinds }) => (!available ? nothing : card('Kinds', kinds.length ? table('The kinds of tasks that ran most', [
  ['Kind', k => kindLink(k.kind), 'name'],
  ['Executions', k => count(k.succeeded + k.failed + k.cancelled), 'r'],
  ['Failed', k => percent(k.failed / Math.max(1, k.succeeded + k.failed)), 'r'],
  ['Wait p95', k => duration(k.wait[1]), 'r'],
  ['Run p95', k => duration(k.run[1]), 'r'],
], [...kinds].sort((a, b) => b.succeeded + b.failed - a.succeeded - a.failed).slice(0, worst), k => k.kind) : empty('No task has ended yet.'), all('kinds', 'kinds')));

const failuresCard = ({ available, executions }) => (!available ? nothing : card('Latest failures', executions.length ? html`<ul class="list">${executions.map(e => html`<li><span class="dim num">${clock(e.at)}</span>${badge(outcomeOf(e))}<span class="grow">${taskLink(e)}<bdi class="cut dim" title=${plain(e.error)}>${plain(e.error)}</bdi></span></li>`)}</ul>` : empty('Nothing has failed.'), all('failures', 'failures')));

function workersCard(t) {
  const { total, workers } = t.workers;
  const busy = workers.filter(w => w.task).sort((a, b) => a.since - b.since);
  return card('Longest running tasks', busy.length ? table('The workers that run a task, the longest first', [
    ['Task', w => taskLink({ name: w.task, id: w.taskID }), 'name'],
    ['State', w => badge(w.state)],
    ['For', w => since(w.since), 'r'],
    ['Worker', w => `no. ${w.id}`, 'r'],
  ], busy.slice(0, worst + 1), w => w.id) : empty(total ? 'All workers are idle.' : 'No worker has been started.'), all('workers', 'workers'));
}

export function view(data) {
  const t = state.tick;
  if (!t) return page('Overview', 'What the manager does now, and what it did.', loading());
  const [level, sentence] = verdict(t);
  return html`<h1 id="title" tabindex="-1" class="sr">Overview</h1>
    <div class="bar-row between"><p class="verdict ${level}">${icon({ ok: 'success', warn: 'delayed', bad: 'panic' }[level])}<span>${sentence}</span></p>${pauseManager()}</div>
    ${tiles(t)}
    ${timeline(['workers', 'queue', 'wait', 'rate'])}
    <div class="columns">
      ${data?.keys ? keysCard(data.keys) : nothing}
      ${data?.kinds ? kindsCard(data.kinds) : nothing}
      ${data?.history ? failuresCard(data.history) : nothing}
      ${workersCard(t)}
    </div>
    ${card('Latest decisions of the scaler', decisions(state.decisions.slice(-worst).reverse()), all('scaling', 'decisions'))}
    ${manager().collector ? nothing : needsCollector('waits, kinds, keys and failures')}`;
}
