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
const recent = 10; // points that rates are means of
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
  if (answer.step === 1) {
    const ends = answer.columns.map(points => points.slice(-recent));
    state.recent = ends[0].map((_, i) => ends.map(points => points[i]));
  }
  fetched = performance.now();
  draw();
}

// append adds what a tick tells. Long spans have points that a tick does not, and a clock that was set
// back has no place on the axis: then the series is fetched again.
export function append(tick) {
  const last = state.decisions.at(-1)?.number ?? 0;
  state.decisions.push(...(tick.decisions ?? []).filter(d => d.number > last));
  const { point } = tick;
  if (state.recent.at(-1)?.[0] !== point[0]) state.recent = [...state.recent, point].slice(-recent);
  if (!state.columns) return;
  const [times] = state.columns;
  if (state.step !== 1 || point[0] < times.at(-1) - coarse) {
    if (performance.now() - fetched >= coarse * 1000) {
      fetched = performance.now();
      load().catch(() => {}); // the page is not at fault, and asks again
    }
    return;
  }
  if (times.length && point[0] <= times.at(-1)) return;
  state.columns.forEach((points, i) => points.push(point[i]));
  const surplus = times.length - state.seconds - 5;
  if (surplus > 0) for (const points of state.columns) points.splice(0, surplus);
  const start = times[0];
  state.decisions = state.decisions.filter(d => d.at >= start || d.number > last - 6);
}
