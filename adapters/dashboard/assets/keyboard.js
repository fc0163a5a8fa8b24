// Keys of the page. Each does what a link or a button does too.
import { menu } from './pages.js';
import { link } from './route.js';

const editable = 'input, select, textarea';

// moveRow moves the focus between the links of rows, so that Enter opens the row.
function moveRow(step) {
  const rows = [...document.querySelectorAll('main [data-row]')];
  const at = rows.indexOf(document.activeElement);
  const next =
    rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

// find focuses the search field. Pages without one lead to the list of tasks.
function find() {
  const field = document.getElementById('search');
  if (field) {
    field.select();
    field.focus();
    return;
  }
  location.hash = link('tasks');
  addEventListener(
    'hashchange',
    () =>
      requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById('search')?.focus())),
    { once: true },
  );
}

// listen handles keys until the page is left.
export function listen({ toggleLive, toggleTheme, help }) {
  const keys = {
    '/': find,
    j: () => moveRow(1),
    k: () => moveRow(-1),
    l: toggleLive,
    t: toggleTheme,
    '?': help,
  };
  addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (event.target.matches?.(editable)) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    const page = menu()[Number(event.key) - 1];
    if (!page && !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    if (page) location.hash = link(page);
    else keys[event.key]();
  });
}
