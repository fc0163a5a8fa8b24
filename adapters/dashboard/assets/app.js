// The start of the page: it reads the address, loads what the page needs, and draws.
import { html, nothing, render } from './lib/lit-html/lit-html.js';
import * as actions from './actions.js';
import { get } from './api.js';
import { frame, helpId } from './frame.js';
import * as keyboard from './keyboard.js';
import * as live from './live.js';
import { pages } from './pages.js';
import { link, parse } from './route.js';
import * as series from './series.js';
import { cluster, draw, names, onDraw, say, state } from './state.js';
import { mount } from './timeline.js';
import { plain } from './format.js';

let asked = 0; // numbers the requests of pages, so that a late answer does not replace a newer one
let fetching = false;
let lastLoad = 0; // in milliseconds

// load fetches the data of the page.
async function load() {
  const page = pages()[state.page];
  if (!page.load) return;
  const mine = ++asked;
  fetching = true;
  lastLoad = performance.now();
  try {
    const data = await page.load();
    if (mine !== asked) return;
    state.data = data;
    state.error = '';
  } catch (error) {
    if (mine !== asked) return;
    state.error = error.message;
  }
  fetching = false;
  draw();
}

// onTick takes an overview, and loads the page again if that is due.
function onTick(tick) {
  state.tick = tick;
  state.skew = tick.now - Date.now() / 1000;
  if (!cluster()) series.append(tick);
  if (!fetching && performance.now() - lastLoad >= pages()[state.page].every * 1000 - 100) load();
  draw();
}

// resync fetches what ticks do not repeat. It is called when the stream begins, and after a gap:
// the server may have been restarted, with other managers, or with another version of this page.
async function resync() {
  const meta = await get('meta', { m: '' });
  state.updated = meta.version !== state.meta.version;
  state.meta = { ...meta, version: state.meta.version };
  state.skew = meta.now - Date.now() / 1000;
  if (!cluster()) await series.load();
  load();
}

// connect shows the manager or cluster on show from scratch.
async function connect() {
  const mine = state.manager;
  Object.assign(state, { tick: null, silence: '', recent: [], columns: null, decisions: [] });
  live.stop();
  try {
    const tick = await first();
    if (mine !== state.manager) return; // the user has chosen another one
    onTick(tick);
  } catch (error) {
    if (mine !== state.manager) return;
    if (cluster()) state.silence = error.message;
    else state.error = error.message;
  }
  live.start();
  draw();
}

// first fetches the state. A cluster is asked once a second, so what the page itself shows is asked for before.
async function first() {
  if (!cluster()) return (await Promise.all([get('overview'), series.load()]))[0];
  await null;
  return get('cluster');
}

function setTitle() {
  const { title } = state.meta;
  const page = pages()[state.page];
  document.title = [
    plain(page.heading?.() ?? page.label),
    names().length > 1 ? plain(state.manager) : '',
    plain(title),
  ]
    .filter(Boolean)
    .join(' · ');
}

// go follows the address bar.
function go() {
  const to = parse();
  const name = to.manager || names()[0];
  if (!names().includes(name)) {
    say(`There is no manager ${plain(name)}.`);
    location.replace(link('overview', {}, names()[0]));
    return;
  }
  const otherManager = name !== state.manager;
  state.manager = name;
  const page = Object.hasOwn(pages(), to.page) ? to.page : 'overview';
  const otherPage = otherManager || page !== state.page || to.args.get('name') !== state.args.get('name');
  const otherSpan = state.columns && String(state.args.get('seconds')) !== String(to.args.get('seconds'));
  Object.assign(state, { page, args: to.args, error: '' });
  if (otherPage) Object.assign(state, { data: null, focusTitle: !otherManager });
  setTitle();
  if (otherManager) connect();
  else if (otherSpan)
    series.load().catch(error => {
      state.error = error.message;
      draw();
    });
  load();
  draw();
}

function toggleLive() {
  state.live = !state.live;
  if (state.live) {
    live.start();
    resync().catch(() => {});
    say('Live updates are on.');
  } else {
    live.stop();
    say('Live updates are off. The page stays as it is.');
  }
  draw();
}

const toggleTheme = () => document.documentElement.dispatchEvent(new Event('toggletheme'));

const help = () => document.getElementById(helpId).showModal();

function drawing() {
  const { page } = state;
  render(
    frame(pages()[page].view(state.data), { toggleLive, toggleTheme, help }),
    document.getElementById('app'),
  );
  mount();
  if (!state.focusTitle) return;
  // A new page is read from its heading on. The address bar has been left, so the focus is free.
  state.focusTitle = false;
  scrollTo(0, 0);
  document.getElementById('title')?.focus({ preventScroll: true });
}

async function begin() {
  try {
    state.meta = await get('meta');
  } catch (error) {
    render(
      html`<div class="boot">
        <p role="alert">${plain(error.message)}</p>
        <p><button class="button" @click=${begin}>Try again</button></p>
      </div>`,
      document.getElementById('app'),
    );
    setTimeout(() => {
      if (!state.meta) begin();
    }, 3_000);
    return;
  }
  state.skew = state.meta.now - Date.now() / 1000;
  live.setup(onTick, resync);
  actions.setup(load);
  keyboard.listen({ toggleLive, toggleTheme, help });
  onDraw(drawing);
  document.documentElement.addEventListener('themechange', draw);
  document.addEventListener('visibilitychange', () => (document.hidden ? live.stop() : live.start()));
  addEventListener('hashchange', go);
  go();
}

document.getElementById('app').replaceChildren(); // lit-html draws beside what is there
render(nothing, document.getElementById('app'));
begin();
