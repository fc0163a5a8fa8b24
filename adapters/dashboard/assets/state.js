// What the page knows. Modules change it and then call draw; nothing is drawn anywhere else.

export const state = {
  meta: null, // answer of meta
  manager: '', // name of the manager or cluster on show
  page: 'overview',
  args: new URLSearchParams(), // of the page
  data: null, // answer for the page; null until it is there
  error: '', // why there is no new data
  live: true, // the user wants updates
  link: 'connecting', // connecting, live, polling or offline
  tick: null, // the latest overview
  silence: '', // why the cluster on show does not answer
  recent: [], // points of the last ten ticks, a second each
  columns: null, // of series
  step: 1, // seconds between points
  seconds: 300, // length of the time axis
  decisions: [], // of the scaler, oldest first
  skew: 0, // seconds that the clock of the server is ahead
  said: '', // text of the status region
  updated: false, // the server has other assets than this page
};

// now is the time of the server in Unix seconds: its times must not depend on this machine's clock.
export const now = () => Date.now() / 1000 + state.skew;

// manager is the entry of meta for the manager on show.
export const manager = () => state.meta.managers.find(m => m.name === state.manager) ?? {};

// cluster tells whether a cluster is on show, not a manager.
export const cluster = (name = state.manager) => state.meta.clusters.some(c => c.name === name);

// names are those of all managers and clusters.
export const names = () => [...state.meta.managers, ...state.meta.clusters].map(one => one.name);

// can tells whether the server offers an action.
export const can = action => state.meta.actions.includes(action);

// column returns all points of a column, or nothing.
export const column = name => state.columns?.[state.meta.columns.indexOf(name)] ?? [];

// latest is the value of a column in the latest overview; -1 means unknown.
export const latest = name => state.tick?.point[state.meta.columns.indexOf(name)] ?? -1;

// mean is the mean of a column over the last seconds, without unknown values.
export function mean(name) {
  const index = state.meta.columns.indexOf(name);
  const known = state.recent.map(point => point[index]).filter(v => v >= 0);
  return known.length ? known.reduce((a, b) => a + b, 0) / known.length : -1;
}

let drawing = () => {};
let due = false;

// onDraw sets what draw calls.
export const onDraw = f => {
  drawing = f;
};

// draw asks for a new picture at the next frame.
export function draw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    drawing();
  });
}

// say puts a text into the status region, which screen readers read out.
export function say(text) {
  state.said = text;
  draw();
}
