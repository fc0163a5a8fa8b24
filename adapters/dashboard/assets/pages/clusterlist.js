// The page of a list of a cluster: a search, a filter by kind, and the rows that the answer covers.
import { html, nothing } from '../lib/lit-html/lit-html.js';
import { get } from '../api.js';
import { plain, some, whole } from '../format.js';
import { chip, loading, page, search } from '../parts.js';
import { change, link } from '../route.js';
import { state } from '../state.js';

const limit = 100;

export const argument = name => state.args.get(name) ?? '';

// loadList asks for the rows that the search selects.
export const loadList = what => get(what, { q: argument('q'), kind: argument('kind'), limit });

let typing;
function type(q) {
  clearTimeout(typing);
  typing = setTimeout(() => change({ q }), 400); // the cluster is asked once a second
}

// found says how much of the list the answer covers. An incomplete answer never reads as none.
function found(n, word, { total, complete }) {
  if (complete) return some(n, word);
  const all = total >= 0 ? ` of ${whole(total)}` : '';
  return `${some(n, word)}${all}; there may be more that fit`;
}

// listPage shows the answer to loadList, or that there is none yet. here is the name of the page, word that of
// a row, open what Enter does in the search, table shows the rows, and none says that there are none.
export const listPage = ({ title, about, here, word, data, rows, open, table, none }) =>
  page(
    title,
    about,
    html`<div class="bar-row">
        ${search('Part of a name', argument('q'), type, open)}
        ${chip('kind', argument('kind'), link(here, { q: argument('q') }))}<span
          class="note"
          role=${argument('q') ? 'status' : nothing}
          >${data ? found(rows.length, word, data) : ''}</span
        >
      </div>
      ${data?.note ? html`<p class="banner warn">${plain(data.note)}</p>` : nothing}
      <section class="card">${!data ? loading() : rows.length ? table(rows) : none(data)}</section>`,
  );
