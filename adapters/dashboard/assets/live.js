// Keeps the overview up to date: by a stream, or by polling where streams do not get through. The state of
// a cluster is polled, because the server asks the cluster only when somebody asks the server.
import { address, get } from './api.js';
import { cluster, draw, say, state } from './state.js';

const silence = 6_000; // a stream that says nothing for so long is broken, as a tick comes each second
const pollEvery = 2_000;
const longestWait = 15_000;

let source; // the open stream
let watchdog; // fires when the stream is silent
let retry; // opens the next stream
let poller; // polls while there is no stream
let failures = 0; // streams in a row that broke before their first tick
let generation = 0; // answers to questions of an earlier connection are ignored
let take = () => {};
let resync = async () => {};

// setup sets what is called with each overview, and what must be fetched again after a gap.
export function setup(onTick, onGap) {
  take = onTick;
  resync = onGap;
}

// stop ends all updates.
export function stop() {
  generation++;
  source?.close();
  source = undefined;
  for (const timer of [watchdog, retry, poller]) clearTimeout(timer);
  poller = undefined;
}

// start begins updates of the manager on show, unless the user stopped them or does not look:
// under HTTP/1.1 a browser has only six connections to a server, for all its tabs.
export function start() {
  stop();
  failures = 0;
  if (!state.live || document.hidden) return;
  status('connecting');
  open();
}

function status(link) {
  if (state.link === link) return;
  if (link === 'offline') say('The server does not answer. The page tries again.');
  else if (state.link === 'offline') say('Connected again.');
  state.link = link;
  draw();
}

function open() {
  const mine = ++generation;
  if (cluster()) {
    poller = setTimeout(poll, 0);
    return;
  }
  let first = true;
  source = new EventSource(address('events'));
  const broken = () => {
    if (mine === generation) lost(first);
  };
  watchdog = setTimeout(broken, silence);
  source.addEventListener('error', broken);
  source.addEventListener('tick', async event => {
    if (mine !== generation) return;
    clearTimeout(watchdog);
    watchdog = setTimeout(broken, silence);
    if (first) {
      first = false;
      failures = 0;
      clearTimeout(poller);
      poller = undefined;
      status('live');
      await resync().catch(() => {}); // the next gap, or the next load of the page, shows the error
      if (mine !== generation) return;
    }
    take(JSON.parse(event.data));
  });
}

// lost closes a broken stream, polls, and tries the stream again after a while. The browser's
// own retries are not enough: they end when a proxy answers with an error while the server restarts.
function lost(early) {
  source?.close();
  source = undefined;
  clearTimeout(watchdog);
  if (early) failures++;
  if (state.link !== 'polling') status(state.link === 'live' ? 'connecting' : state.link);
  retry = setTimeout(open, Math.min(longestWait, 500 * 2 ** failures));
  if (!poller) poller = setTimeout(poll, early ? 0 : pollEvery);
}

async function poll() {
  const mine = poller;
  let next = cluster() ? 'live' : 'polling';
  try {
    const overview = await get(cluster() ? 'cluster' : 'overview');
    if (mine !== poller) return;
    if (state.link === 'offline') await resync().catch(() => {});
    state.silence = '';
    take(overview);
  } catch (error) {
    if (mine !== poller) return;
    if (cluster() && !error.offline) state.silence = error.message;
    else next = 'offline';
    draw();
  }
  if (mine !== poller) return; // a stream has been opened, or the user has left
  status(next);
  poller = setTimeout(poll, pollEvery);
}
