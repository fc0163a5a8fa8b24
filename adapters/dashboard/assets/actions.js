// Actions that change something. Each asks first, in a dialog, and says what happened.
import { html, nothing } from './lib/lit-html/lit-html.js';
import { post } from './api.js';
import { plain } from './format.js';
import { can, draw, manager, say, state } from './state.js';

let question = null; // what the dialog asks
let busy = false;
let reload = () => {};

// setup sets what is called after an action.
export function setup(afterAction) {
  reload = afterAction;
}

function ask(q) {
  question = { error: '', ...q };
  draw();
  // The dialog is opened after it has been drawn with the question.
  requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById('ask')?.showModal()));
}

function close() {
  document.getElementById('ask')?.close();
  question = null;
  draw();
}

async function perform(event) {
  event.preventDefault();
  if (busy || !question) return;
  busy = true;
  const { action, fields, done } = question;
  const form = Object.fromEntries(
    [...new FormData(event.target)].map(([name, value]) => [name, Number(value)]),
  );
  try {
    await post(action, { ...fields, ...form });
    close();
    say(done);
    reload();
  } catch (error) {
    if (question) question.error = error.message;
    draw();
  } finally {
    busy = false;
  }
}

const number = (name, label, value) =>
  html`<label>${label}<input type="number" name=${name} min="0" required .value=${String(value)} /></label>`;

const bounds = () =>
  html`<p class="fields">
    ${number('min', 'Minimum', state.tick.min)}${number('max', 'Maximum', state.tick.max)}
  </p>`;

// dialog is the question. It is always in the page, because an element that is drawn later cannot
// be opened at once.
export const dialog = () =>
  html`<dialog
    id="ask"
    aria-labelledby="ask-title"
    @close=${() => {
      question = null;
      draw();
    }}
  >
    ${
      question
        ? html`<form @submit=${perform}>
            <h2 id="ask-title">${question.title}</h2>
            <p>${question.text}</p>
            ${question.bounds ? bounds() : nothing}
            ${question.error ? html`<p class="banner bad" role="alert">${plain(question.error)}</p>` : nothing}
            <p class="buttons">
              <button type="button" class="button" @click=${close}>Leave as it is</button
              ><button class="button ${question.danger ? 'danger' : 'primary'}">${question.verb}</button>
            </p>
          </form>`
        : nothing
    }
  </dialog>`;

const button = (word, q) =>
  html`<button
    type="button"
    class="button ${q.danger && !q.quiet ? 'danger' : ''}"
    @click=${() => ask({ verb: word, ...q })}
  >
    ${word}
  </button>`;

// cancelTask offers to cancel a task. name is the exact one, or empty if no request can hold it. quiet is for
// buttons in each row of a list: only the question is red then.
export const cancelTask = (name, shown, quiet = false) =>
  can('cancel') && name
    ? button('Cancel task', {
        quiet,
        action: 'cancel',
        fields: { name },
        danger: true,
        title: 'Cancel this task?',
        done: `Task ${plain(shown)} was cancelled.`,
        text: html`The context of <bdi class="mono">${plain(shown)}</bdi> is cancelled. If it has not started,
          it will not run. It is not restarted.`,
      })
    : nothing;

// ofLetter offers an action for a dead letter, unless no request can name it.
const ofLetter = (action, word, l, q) =>
  can(action) && l.letter
    ? button(word, { action, fields: { name: l.id ?? l.name, kind: l.kindID ?? l.kind, letter: l.letter }, ...q })
    : nothing;

// retryLetter and deleteLetter offer what can be done with a task that was given up.
export const retryLetter = l =>
  ofLetter('retry', 'Retry', l, {
    title: 'Run this task again?',
    done: `Task ${plain(l.name)} was submitted again.`,
    text: html`<bdi class="mono">${plain(l.name)}</bdi> is submitted again, with the same input. Its dead letter is
      removed.`,
  });
export const deleteLetter = l =>
  ofLetter('delete', 'Delete', l, {
    danger: true,
    quiet: true,
    title: 'Delete this dead letter?',
    done: `The dead letter of ${plain(l.name)} was deleted.`,
    text: html`The input of <bdi class="mono">${plain(l.name)}</bdi> is lost. The task does not run again.`,
  });

// pauseManager offers to pause or resume the manager.
export function pauseManager() {
  if (!can('pause') || !state.tick) return nothing;
  const name = plain(manager().name);
  if (state.tick.state === 'paused')
    return button('Resume manager', {
      action: 'resume',
      title: `Resume ${name}?`,
      done: `${name} was resumed.`,
      text: 'Queued tasks start again.',
    });
  if (state.tick.state !== 'running') return nothing;
  return button('Pause manager', {
    action: 'pause',
    title: `Pause ${name}?`,
    done: `${name} was paused.`,
    text: 'Running tasks continue. No other task starts until the manager is resumed.',
  });
}

// resize offers to change the bounds of the number of workers.
export const resize = () =>
  can('resize') && state.tick
    ? button('Change bounds', {
        action: 'resize',
        bounds: true,
        title: 'How many workers?',
        done: 'The bounds were changed.',
        text: 'The scaler chooses a number within these bounds. Workers above the maximum leave when their task ends.',
      })
    : nothing;

// runNow offers to run a schedule now, unless no request can hold its name.
export const runNow = s =>
  can('run') && s.id !== ''
    ? button('Run now', {
        action: 'run',
        fields: { name: s.id ?? s.name },
        title: 'Run this schedule now?',
        done: `${plain(s.label)} was submitted.`,
        text: html`A task of <bdi>${plain(s.label)}</bdi> is submitted at once. Its timetable stays as it is.`,
      })
    : nothing;
