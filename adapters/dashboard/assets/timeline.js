// Panels one below the other on one time axis: what the workers did beside why, and its effect.
import { html, nothing } from './lib/lit-html/lit-html.js';
import { Chart } from './chart.js';
import { clock, count, duration, plain, some } from './format.js';
import { segments } from './parts.js';
import { link } from './route.js';
import { spans } from './series.js';
import { column, draw, manager, state } from './state.js';

// panels are the plots. Columns of counts are shown per second, because the points of long spans
// are 15 seconds apart.
const panels = {
  workers: {
    title: 'Workers',
    unit: 'number',
    lines: [
      { column: 'workers', label: 'in all', color: 'line-dim', step: true },
      { column: 'busy', label: 'busy', color: 'line-blue', fill: true, step: true },
      { column: 'target', label: 'wanted by the scaler', color: 'line-amber', dash: 'dash', step: true },
    ],
  },
  queue: {
    title: 'Queue',
    unit: 'number',
    lines: [
      { column: 'queued', label: 'tasks queued', color: 'line-blue', fill: true },
      { column: 'blocked', label: 'submitters waiting', color: 'line-amber', dash: 'dash' },
    ],
  },
  wait: {
    title: 'Wait before a task starts',
    unit: 'seconds',
    collector: true,
    lines: [
      { column: 'wait50', label: 'half below', color: 'line-teal' },
      { column: 'wait95', label: '95 % below', color: 'line-blue', dash: 'dash' },
      { column: 'wait99', label: '99 % below', color: 'line-amber', dash: 'dots' },
    ],
  },
  rate: {
    title: 'Executions per second',
    unit: 'number',
    perSecond: true,
    lines: [
      { column: 'succeeded', label: 'succeeded', color: 'line-teal', fill: true },
      { column: 'failed', label: 'failed', color: 'line-red', dash: 'dash' },
      { column: 'restarts', label: 'restarts', color: 'line-amber', dash: 'dots' },
    ],
  },
};

const format = panel => (panel.unit === 'seconds' ? duration : count);
let cursor = null; // what the user points at: {index, time, reach}

// values returns the points of a line; unknown ones are gaps.
const values = (panel, line) =>
  column(line.column).map(v => (v < 0 ? null : panel.perSecond ? v / state.step : v));

// shown returns the value at the cursor, or the latest one.
function shown(points) {
  return points[cursor?.index ?? points.length - 1];
}

// summary says in words what a panel shows.
function summary(panel) {
  const f = format(panel);
  return panel.lines
    .map(line => {
      const points = values(panel, line).filter(v => v != null);
      if (!points.length) return `${line.label}: unknown`;
      return `${line.label}: now ${f(points.at(-1))}, highest ${f(points.reduce((a, b) => Math.max(a, b)))}`;
    })
    .join('; ');
}

const panelView = (id, isFirst, isLast) => {
  const panel = panels[id];
  const edges = `${isFirst ? 'first' : ''} ${isLast ? 'last' : ''}`;
  return html`<div class="panel ${edges}">
    <div class="panel-head">
      <h3>${panel.title}</h3>
      <ul class="legend">
        ${panel.lines.map(
          line =>
            html`<li>
              <svg class="key ${line.color} ${line.dash ?? ''}" viewBox="0 0 22 8" aria-hidden="true">
                <path d="M1 4h20" /></svg
              ><span>${line.label}</span><b>${format(panel)(shown(values(panel, line)))}</b>
            </li>`,
        )}
      </ul>
    </div>
    <div
      class="plot ${edges}"
      role="img"
      data-chart=${id}
      aria-label="${panel.title} over the last ${duration(state.seconds)}. ${summary(panel)}."
    ></div>
  </div>`;
};

// nearest is the decision that the user points at.
function nearest() {
  let best = null;
  for (const d of state.decisions) {
    const distance = Math.abs(d.at - cursor.time);
    if (distance <= cursor.reach && (!best || distance < Math.abs(best.at - cursor.time))) best = d;
  }
  return best;
}

function readout() {
  if (cursor) {
    const d = nearest();
    if (d)
      return html`<b>${clock(d.at)}</b> The scaler wanted ${d.target} instead of ${some(d.workers, 'worker')}:
        <bdi>${plain(d.reason)}</bdi>`;
    const t = column('t')[cursor.index];
    return t ? html`<b>${clock(t)}</b> No decision at this moment.` : nothing;
  }
  const changes = state.decisions.filter(d => d.target !== d.workers).length;
  if (!changes) return 'The scaler made no change in this time.';
  return html`Marks are decisions of the scaler: <span class="up">▲</span> more workers,
    <span class="down">▼</span> fewer, <span class="dim">◆</span> more and fewer in turn. Point at one for its
    reason.`;
}

const spanLink = s => link(state.page, { ...Object.fromEntries(state.args), seconds: s === '300' ? '' : s });

// timeline shows panels by their names, and the choice of the span.
export function timeline(names) {
  const available = names.filter(n => manager().collector || !panels[n].collector);
  return html`<figure class="card timeline" aria-labelledby="timeline-title">
    <figcaption>
      <h2 id="timeline-title">The last ${spans.find(([s]) => Number(s) === state.seconds)?.[1]}</h2>
      ${segments('Time span', spans, String(state.seconds), spanLink)}
      <p class="readout">${readout()}</p>
    </figcaption>
    ${available.map((id, i) => panelView(id, i === 0, i === available.length - 1))}
  </figure>`;
}

const charts = new Map(); // by element

function onCursor(u) {
  const { idx, left } = u.cursor;
  const before = cursor;
  if (idx == null || left < 0) cursor = null;
  else cursor = { index: idx, time: u.posToVal(left, 'x'), reach: u.posToVal(8, 'x') - u.posToVal(0, 'x') };
  if (before?.index !== cursor?.index || before?.time !== cursor?.time) draw();
}

// mount brings the charts up to date with the elements and the points. It follows each drawing.
export function mount() {
  const elements = [...document.querySelectorAll('[data-chart]')];
  for (const [element, chart] of charts) {
    if (elements.includes(element) && chart.panel === panels[element.dataset.chart]) continue;
    chart.destroy();
    charts.delete(element);
  }
  if (!elements.length) cursor = null;
  const times = column('t');
  if (!times.length) return;
  const end = times.at(-1);
  // A server that was started a moment ago has a short history; it fills the axis from one minute on.
  const range = [Math.max(end - state.seconds, Math.min(times[0], end - 60)), end];
  for (const element of elements) {
    const panel = panels[element.dataset.chart];
    if (!charts.has(element)) {
      const { classList } = element;
      charts.set(
        element,
        new Chart(element, panel, {
          first: classList.contains('first'),
          last: classList.contains('last'),
          onCursor,
        }),
      );
    }
    charts.get(element).set([times, ...panel.lines.map(line => values(panel, line))], state.decisions, range);
  }
}
