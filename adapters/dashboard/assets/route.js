// Addresses of pages: #/manager/page?arguments. Each is a deep link.
import { state } from './state.js';

// link returns the address of a page of the manager on show.
export function link(page, args = {}, manager = state.manager) {
  const query = new URLSearchParams(Object.entries(args).filter(([, v]) => v != null && v !== ''));
  return `#/${encodeURIComponent(manager)}/${page}${query.size ? `?${query}` : ''}`;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  } // a % that was typed by hand
}

// parse reads the address bar.
export function parse() {
  const hash = location.hash.replace(/^#\/?/, '');
  const at = hash.indexOf('?');
  const [manager = '', page = ''] = (at < 0 ? hash : hash.slice(0, at)).split('/');
  return { manager: decode(manager), page, args: new URLSearchParams(at < 0 ? '' : hash.slice(at + 1)) };
}

// change sets arguments of the page, replacing the address: typing in a search field must not
// fill the history. An empty value removes the argument.
export function change(args) {
  const all = { ...Object.fromEntries(state.args), ...args };
  history.replaceState(null, '', link(state.page, all));
  dispatchEvent(new HashChangeEvent('hashchange'));
}
