// Requests to the server. Names of tasks travel only in the query, never in the path.
import { state } from './state.js';

const base = new URL('api/v1/', document.baseURI);

// address returns the URL of a path of the API, with the arguments that are set.
export function address(path, args = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries({ m: state.manager, ...args })) {
    if (value != null && value !== '') url.searchParams.set(name, value);
  }
  return url;
}

async function answer(response) {
  if (response.ok) return response.status === 204 ? null : response.json();
  const body = await response.json().catch(() => null); // a proxy answers with other things than JSON
  throw new Error(body?.error ?? `The server answered with status ${response.status}.`);
}

// request turns the texts that browsers have for a failed connection into one that helps.
async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...options });
  } catch (cause) {
    throw Object.assign(new Error('The server does not answer.', { cause }), { offline: true });
  }
  return answer(response);
}

// get asks for data. The request ends after ten seconds, because the next tick asks again.
export const get = (path, args) => request(address(path, args), { signal: AbortSignal.timeout(10_000) });

// post performs an action of the manager on show. The address names the manager too, so that middleware
// and the function of the option Actions see it without reading the body.
export const post = (action, fields = {}) =>
  request(address('actions'), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ manager: state.manager, action, ...fields }),
  });
