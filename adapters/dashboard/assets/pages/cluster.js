// The state of a cluster: is all well, which processes are there, and what do they run.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { count, elapsed, plain, some, whole } from '../format.js';
import { icon } from '../icons.js';
import { bar, card, clusterKindLink, empty, loading, page, since, table, text } from '../parts.js';
import { link } from '../route.js';
import { now, state } from '../state.js';

const silent = 15; // seconds after which a process that is not heard of is pointed out

const isSilent = p => p.seen > 0 && now() - p.seen > silent;
const stranded = t => t.kinds.filter(k => k.waiting > 0 && !k.processes).sort((a, b) => b.waiting - a.waiting);

const waits = n => some(n, 'task waits', 'tasks wait');
const processes = n => some(n, 'process', 'processes');

// judge says in a sentence what is going on, with how bad it is.
function judge(t) {
  const n = t.processes.length + t.moreProcesses;
  const [kind, ...others] = stranded(t);
  if (!n && t.waiting > 0) return ['bad', `No process is there to run tasks, and ${waits(t.waiting)}.`];
  if (kind) {
    const more = others.length ? ` The same goes for ${some(others.length, 'other kind')}.` : '';
    return [
      'bad',
      html`No process runs the kind <bdi>${plain(kind.kind)}</bdi>, of which ${waits(kind.waiting)}.${more}`,
    ];
  }
  const quiet = t.processes.filter(isSilent).length;
  if (quiet) return ['warn', `${some(quiet, 'process', 'processes')} of ${n} was not heard of lately.`];
  const busy = some(t.busy, 'worker is', 'workers are');
  if (t.waiting < 0) return ['warn', `${busy} busy. It is unknown how many tasks wait.`];
  if (t.waiting > 0 && t.busy >= t.workers)
    return ['warn', `All ${some(t.workers, 'worker')} of ${processes(n)} are busy, and ${waits(t.waiting)}.`];
  if (!n) return ['ok', 'No process is there to run tasks, and none waits.'];
  if (t.waiting > 0) return ['ok', `${busy} busy, and ${waits(t.waiting)}.`];
  if (t.busy > 0) return ['ok', `${busy} busy, and no task waits.`];
  return ['ok', 'No task runs, and none waits.'];
}

const icons = { ok: 'success', warn: 'delayed', bad: 'panic' };

function verdict(t) {
  const [level, sentence] = judge(t);
  return html`<p class="verdict ${level}">${icon(icons[level])}<span>${sentence}</span></p>
    ${t.note ? html`<p class="banner warn">${plain(t.note)}</p>` : nothing}`;
}

const tile = (name, value, note, href, level = '') =>
  html`<a class="tile ${level}" href=${href}>
    <span class="name">${name}</span><span class="value">${value}</span><span class="note">${note}</span>
  </a>`;

function tiles(t) {
  const n = t.processes.length + t.moreProcesses;
  const quiet = t.processes.filter(isSilent).length;
  const busy = bar(t.busy / Math.max(1, t.workers), `${t.busy} of ${t.workers} workers are busy`);
  const here = link('overview');
  return html`<div class="tiles">
    ${tile('Processes', count(n), quiet ? `${quiet} not heard of lately` : 'that run tasks', here, quiet ? 'warn' : '')}
    ${tile('Workers busy', html`${count(t.busy)} <small>of ${count(t.workers)}</small>`, html`${busy}<span>in all processes</span>`, here)}
    ${tile('Tasks waiting', count(t.waiting), 'no process has them yet', link('tasks'))}
    ${tile('Tasks running', count(t.running), 'or waiting in a process, or due later', link('tasks'))}
    ${tile('Dead letters', count(t.dead), 'tasks that were given up', link('dead'), t.dead > 0 ? 'warn' : '')}
  </div>`;
}

const seen = p =>
  p.seen > 0
    ? html`<span class=${isSilent(p) ? 'warn-text' : ''}>${elapsed(Math.max(0, now() - p.seen))} ago</span>`
    : nothing;

const where = p => [plain(p.host), p.pid > 0 ? `pid ${p.pid}` : ''].filter(Boolean).join(', ');

const kindsOf = p => {
  const all = [...p.kinds.map(plain), ...(p.moreKinds ? [`${p.moreKinds} more`] : [])].join(', ');
  return all ? html`<bdi class="clamp" title=${all}>${all}</bdi>` : nothing;
};

function busyOf(p) {
  const words = `${whole(p.running)} of ${whole(p.workers)}`;
  return html`<span class="progress">${bar(p.running / Math.max(1, p.workers), words)}<span>${words}</span></span>`;
}

const processesCard = t =>
  card(
    'Processes',
    t.processes.length
      ? html`${table(
          'The processes that run tasks',
          [
            [
              'Process',
              p => html`${text(p.name || p.id)}<bdi class="cut small dim" title=${where(p)}>${where(p)}</bdi>`,
              'name',
            ],
            ['Kinds', kindsOf, 'error-col block'],
            ['Busy', busyOf],
            ['Up for', p => since(p.since), 'r'],
            ['Heard of', seen, 'r'],
          ],
          t.processes,
          p => p.id,
        )}${t.moreProcesses ? html`<p class="note">${some(t.moreProcesses, 'more process', 'more processes')} not shown.</p>` : nothing}`
      : empty('No process is there. Tasks wait until one comes that runs their kinds.'),
  );

const deadOf = k =>
  k.dead > 0
    ? html`<a href=${link('dead', { kind: k.kindID ?? k.kind })} aria-label="${whole(k.dead)} dead letters of this kind"
        >${count(k.dead)}</a
      >`
    : count(k.dead);

const runners = k =>
  k.processes
    ? html`<span class="badge is-success">${icon('success')}${processes(k.processes)}</span>`
    : html`<span class="badge ${k.waiting > 0 ? 'is-failure' : 'is-idle'}"
        >${icon(k.waiting > 0 ? 'panic' : 'idle')}${k.consumer ? 'none now' : 'none so far'}</span
      >`;

const kindsCard = t =>
  card(
    'Kinds',
    t.kinds.length
      ? html`${table(
          'The kinds of tasks',
          [
            ['Kind', clusterKindLink, 'name'],
            ['Waiting', k => count(k.waiting), 'r'],
            ['Running', k => count(k.running), 'r'],
            ['Dead letters', deadOf, 'r'],
            ['Run by', runners],
          ],
          t.kinds,
          k => k.kindID ?? k.kind,
        )}${t.moreKinds ? html`<p class="note">${some(t.moreKinds, 'more kind')} not shown.</p>` : nothing}`
      : empty('No task has been submitted yet.'),
  );

export function view() {
  const t = state.tick;
  if (!t)
    return page('Overview', 'The processes of the cluster, and the tasks that they share.', loading());
  return html`<h1 id="title" tabindex="-1" class="sr">Overview</h1>
    ${verdict(t)} ${tiles(t)} ${processesCard(t)} ${kindsCard(t)}`;
}
