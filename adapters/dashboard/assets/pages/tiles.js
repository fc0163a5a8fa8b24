// The head of the overview: a sentence and a few numbers.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { pauseManager } from '../actions.js';
import { count, duration, elapsed, percent, some, unknown } from '../format.js';
import { icon } from '../icons.js';
import { bar } from '../parts.js';
import { link } from '../route.js';
import { latest, manager, mean } from '../state.js';

const alarming = { part: 0.1, perSecond: 0.3 }; // failed executions that are pointed out: few are no alarm

// oldest says how long the oldest task waits, if the manager measures it.
const oldest = () => (latest('oldest') >= 0 ? elapsed(latest('oldest')) : '');

// failing returns the part of the recent executions that failed.
function failing() {
  const failed = mean('failed');
  const succeeded = mean('succeeded');
  return failed < 0 ? -1 : failed / Math.max(failed + succeeded, 1e-9);
}

const alarm = () => failing() > alarming.part && mean('failed') > alarming.perSecond;

const stopped = {
  stopped: ['bad', 'The manager has stopped. No task runs any more.'],
  draining: [
    'warn',
    'The manager is draining. It runs the remaining tasks, takes no others, and then stops.',
  ],
  paused: ['warn', 'The manager is paused. Running tasks continue, and no other task starts.'],
};

const wait = n => some(n, 'task waits', 'tasks wait');
const busyWorkers = n => some(n, 'worker is', 'workers are');

// judge says in a sentence what is going on, with how bad it is.
function judge(t) {
  if (stopped[t.state]) return stopped[t.state];
  const busy = latest('busy');
  const queued = latest('queued');
  const blocked = latest('blocked');
  if (alarm()) return ['bad', `${percent(failing())} of the executions of the last ten seconds failed.`];
  if (blocked > 0) {
    const submitters = some(blocked, 'submitter waits', 'submitters wait');
    return ['warn', `The queue is full: ${submitters} for room.`];
  }
  if (queued > 0 && busy >= t.max) {
    const first = oldest() ? `, the oldest for ${oldest()}` : '';
    return ['warn', `All ${t.max} workers are busy, and ${wait(queued)}${first}.`];
  }
  if (queued > 0) return ['ok', `${busyWorkers(busy)} busy, and ${wait(queued)}.`];
  if (busy > 0) return ['ok', `${busyWorkers(busy)} busy, and no task waits.`];
  return ['ok', 'No task runs, and none waits.'];
}

const icons = { ok: 'success', warn: 'delayed', bad: 'panic' };

// verdict is the sentence.
export function verdict(t) {
  const [level, sentence] = judge(t);
  return html`<div class="bar-row between">
    <p class="verdict ${level}">${icon(icons[level])}<span>${sentence}</span></p>
    ${pauseManager()}
  </div>`;
}

// tile is a number with its name and a note. It leads to the page that tells more.
const tile = (name, value, note, href, level = '') =>
  html`<a class="tile ${level}" href=${href}>
    <span class="name">${name}</span><span class="value">${value}</span><span class="note">${note}</span>
  </a>`;

function workersTile(t) {
  const busy = latest('busy');
  const value = html`${count(busy)} <small>of ${count(latest('workers'))}</small>`;
  const part = bar(busy / Math.max(1, t.max), `${busy} of at most ${t.max} workers are busy`);
  return tile('Workers busy', value, html`${part}<span>${t.min} to ${t.max} allowed</span>`, link('workers'));
}

function queueTile(t) {
  const queued = latest('queued');
  const later = t.counts.delayed + t.counts.restarting;
  const room = t.limit > 0 ? html` <small>of ${count(t.limit)}</small>` : nothing;
  let note = 'nothing waits for a worker';
  if (queued > 0) note = oldest() ? `the oldest for ${oldest()}` : 'wait for a worker';
  if (later > 0) note += `; ${count(later)} due later`;
  return tile(
    'Tasks queued',
    html`${count(queued)}${room}`,
    note,
    link('queue'),
    latest('blocked') > 0 ? 'warn' : '',
  );
}

function perSecond(name) {
  const v = mean(name);
  return v < 0 ? unknown : count(Math.round(10 * v) / 10);
}

function successTile(t) {
  const value = html`${perSecond('succeeded')} <small>per second</small>`;
  return tile(
    'Succeeded',
    value,
    `${count(t.counts.succeeded)} since the start`,
    link('failures', { outcome: 'success' }),
  );
}

const failureTile = () =>
  tile(
    'Failed',
    percent(failing()),
    `${perSecond('failed')} per second`,
    link('failures'),
    alarm() ? 'bad' : '',
  );

// timeTile says what percentiles mean.
const timeTile = (name, p) =>
  tile(
    `${name}, 95 % under`,
    duration(p[1]),
    p[0] >= 0 ? `half under ${duration(p[0])}, 99\u00a0% under ${duration(p[2])}` : 'none in the last 10\u00a0s',
    link('kinds'),
  );

// tiles are the numbers.
export const tiles = t =>
  html`<div class="tiles">
    ${workersTile(t)} ${queueTile(t)} ${successTile(t)} ${failureTile()}
    ${manager().collector ? html`${timeTile('Wait', t.recent.wait)} ${timeTile('Run', t.recent.run)}` : nothing}
  </div>`;
