// What surrounds all pages: header, menu, messages and help.
import { html, nothing } from './lib/lit-html/lit-html.js';
import { dialog } from './actions.js';
import { count, plain } from './format.js';
import { icon } from './icons.js';
import { menu, pages } from './pages.js';
import { link } from './route.js';
import { cluster, latest, manager, names, state } from './state.js';

export const helpId = 'help';

const links = { connecting: 'connecting', live: 'live', polling: 'live, by polling', offline: 'no answer' };
const managerStates = { running: 'running', paused: 'paused', draining: 'draining', stopped: 'stopped' };

// changeManager keeps the page, except that of a task, which the other manager does not have. A cluster
// has other pages than a manager: those that it lacks lead to its overview.
function changeManager(event) {
  location.hash = link(state.page === 'task' ? 'tasks' : state.page, {}, event.target.value);
}

const option = ({ name }) =>
  html`<option value=${name} ?selected=${name === state.manager}>${plain(name)}</option>`;

const group = (label, list) =>
  list.length ? html`<optgroup label=${label}>${list.map(option)}</optgroup>` : nothing;

function managers() {
  if (names().length < 2) return nothing;
  const { managers, clusters } = state.meta;
  return html`<label class="manager"
    ><span>${clusters.length ? 'Show' : 'Manager'}</span
    ><select @change=${changeManager}>
      ${clusters.length ? html`${group('Managers', managers)}${group('Clusters', clusters)}` : managers.map(option)}
    </select></label
  >`;
}

const managerState = () => {
  const s = state.tick?.state ?? manager().state;
  return s && s !== 'running' ? html`<span class="tag warn">${managerStates[s] ?? s}</span>` : nothing;
};

const liveState = () => {
  const kind = state.live ? state.link : 'stopped';
  return html`<span class="link ${kind}"
    ><span class="dot" aria-hidden="true"></span>${state.live ? links[state.link] : 'updates are paused'}</span
  >`;
};

const header = ({ toggleLive, toggleTheme, help }) => {
  const dark = document.documentElement.dataset.theme === 'dark';
  return html`<header>
    <a class="brand" href=${link('overview')}
      ><span class="logo">${icon('logo')}</span><span>${plain(state.meta.title)}</span></a
    >${managers()}${managerState()}
    <span class="grow"></span>
    ${state.meta.actions.length ? nothing : html`<span class="tag" title="The program has not enabled actions.">read-only</span>`}
    ${liveState()}
    <button type="button" class="button" aria-pressed=${!state.live} title="key l" @click=${toggleLive}>
      ${state.live ? 'Pause updates' : 'Go live'}
    </button>
    <button
      type="button"
      class="button square"
      title="key t"
      aria-label="Use the ${dark ? 'light' : 'dark'} theme"
      @click=${toggleTheme}
    >
      ${icon(dark ? 'sun' : 'moon')}
    </button>
    <button type="button" class="button square" title="key ?" aria-label="Help" @click=${help}>
      ${icon('help')}
    </button>
  </header>`;
};

// numbers stand beside the menu entries. They are of the same moment as those of the overview.
function numbers() {
  if (!state.tick) return {};
  if (cluster()) {
    const { waiting, running, dead } = state.tick;
    return { tasks: waiting < 0 || running < 0 ? -1 : waiting + running, dead };
  }
  const tasks = ['busy', 'lent', 'queued', 'delayed', 'restarting'].map(latest);
  return {
    tasks: tasks.filter(n => n > 0).reduce((a, b) => a + b, 0),
    workers: latest('workers'),
    queue: latest('queued'),
    failures: state.tick.failures,
  };
}

const navigation = () => {
  const n = numbers();
  const here = state.page === 'task' ? 'tasks' : state.page;
  return html`<nav class="menu" aria-label="Pages">
    <ul>
      ${menu().map(
        (id, i) =>
          html`<li>
            <a href=${link(id)} aria-current=${id === here ? 'page' : nothing} title="key ${i + 1}"
              ><span>${pages()[id].label}</span
              >${n[id] > 0 ? html`<span class="number">${count(n[id])}</span>` : nothing}</a
            >
          </li>`,
      )}
    </ul>
  </nav>`;
};

const messages = () =>
  html`${
    state.updated
      ? html`<p class="banner" role="status">
          The program has been updated.
          <button type="button" class="button" @click=${() => location.reload()}>Reload the page</button>
        </p>`
      : nothing
  }
  ${
    state.live && state.link === 'offline'
      ? html`<p class="banner warn" role="status">
          The server does not answer. What you see is old. The page tries again by itself.
        </p>`
      : nothing
  }
  ${
    state.silence && state.link !== 'offline'
      ? html`<p class="banner warn" role="status">
          <bdi>${plain(state.silence)}</bdi> What you see is old. The page tries again by itself.
        </p>`
      : nothing
  }
  ${state.error && state.link !== 'offline' ? html`<p class="banner bad" role="alert">${plain(state.error)}</p>` : nothing}`;

const keysOfHelp = [
  ['/', 'search'],
  ['1 … 9', 'open a page of the menu'],
  ['j, k', 'next and previous row'],
  ['Enter', 'open the row'],
  ['l', 'pause the updates, or go live'],
  ['t', 'light or dark'],
  ['?', 'this help'],
  ['Esc', 'leave a field or a dialog'],
];
const terms = [
  ['queued', 'waits for a worker'],
  ['running', 'has a worker'],
  ['blocked', 'has lent its place to others while it waits for another task'],
  ['delayed', 'is not due yet'],
  ['restarting', 'failed, and waits to run again'],
  ['dead letter', 'a task of a cluster that was given up'],
  ['wait', 'from the moment a task is ready until it starts'],
  ['p50, p95, p99', '50, 95 or 99 % of the values are below'],
];

const helpDialog = () =>
  html`<dialog id=${helpId} aria-labelledby="help-title">
    <h2 id="help-title">Help</h2>
    <div class="columns">
      <section>
        <h3>Keys</h3>
        <dl>
          ${keysOfHelp.map(
            ([k, what]) =>
              html`<div>
                <dt><kbd>${k}</kbd></dt>
                <dd>${what}</dd>
              </div>`,
          )}
        </dl>
      </section>
      <section>
        <h3>Words</h3>
        <dl>
          ${terms.map(
            ([word, what]) =>
              html`<div>
                <dt>${word}</dt>
                <dd>${what}</dd>
              </div>`,
          )}
        </dl>
      </section>
    </div>
    <p class="buttons">
      <button type="button" class="button primary" @click=${event => event.target.closest('dialog').close()}>
        Close
      </button>
    </p>
  </dialog>`;

// skip moves the focus to the content without changing the address, which is a route.
const skip = event => {
  event.preventDefault();
  document.getElementById('title')?.focus();
};

// frame surrounds the content of a page.
export const frame = (content, commands) =>
  html`<a class="skip button" href="#title" @click=${skip}>Skip to the content</a> ${header(commands)}
    <div class="body">
      ${navigation()}
      <main id="main" data-page=${state.page}>${messages()}${content}</main>
    </div>
    <p class="sr" role="status" id="status">${state.said}</p>
    ${helpDialog()}${dialog()}`;
