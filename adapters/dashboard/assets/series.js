// The points behind the time axis: fetched once, then extended by each tick.
import { get } from './api.js';
import { draw, state } from './state.js';

export const spans = [
  ['300', '5 min'],
  ['900', '15 min'],
  ['3600', '1 h'],
  ['14400', '4 h'],
];

const defaultSpan = 300;
const coarse = 15; // seconds between points of long spans
let asked = 0; // numbers the requests, so that a late answer does not replace a newer one
let fetched = 0; // when the series was last fetched, in milliseconds

// span is the length of the time axis that the address asks for, in seconds.
export const span = () => Number(spans.find(([s]) => s === state.args.get('seconds'))?.[0] ?? defaultSpan);

// load fetches the whole series.
export async function load() {
  const mine = ++asked;
  const seconds = span();
  const answer = await get('series', { seconds });
  if (mine !== asked) return;
  state.seconds = seconds;
  state.step = answer.step;
  state.columns = answer.columns;
  state.decisions = [...answer.decisions].sort((a, b) => a.number - b.number);
  fetched = performance.now();
  draw();
}

// append adds what a tick tells. Long spans have points that a tick does not, so they are fetched again.
export function append(tick) {
  const last = state.decisions.at(-1)?.number ?? 0;
  state.decisions.push(...(tick.decisions ?? []).filter(d => d.number > last));
  if (!state.columns) return;
  if (state.step !== 1) {
    if (performance.now() - fetched >= coarse * 1000) {
      fetched = performance.now();
      load().catch(() => {}); // the tick after the next answers again
    }
    return;
  }
  const [times] = state.columns;
  if (times.length && tick.point[0] <= times.at(-1)) return;
  state.columns.forEach((points, i) => points.push(tick.point[i]));
  const surplus = times.length - state.seconds - 5;
  if (surplus > 0) for (const points of state.columns) points.splice(0, surplus);
  const start = times[0];
  state.decisions = state.decisions.filter(d => d.at >= start || d.number > last - 6);
}
