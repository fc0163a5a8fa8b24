// Texts for people: numbers, durations, times and names.

const two = n => String(n).padStart(2, '0');

// clock returns the local time of day of a Unix time, such as 14:05:09.
export function clock(t) {
  const d = new Date(t * 1000);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

// day returns the local date, such as Mon 2 Mar, or nothing for today.
export function day(t, now) {
  const d = new Date(t * 1000);
  if (d.toDateString() === new Date(now * 1000).toDateString()) return '';
  return d.toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' });
}

// moment returns date and time of day, without the date if it is today.
export const moment = (t, now) => [day(t, now), clock(t)].filter(Boolean).join(' ');

export const unknown = '–';

// duration returns at most two units of a length in seconds.
export function duration(s) {
  if (s == null || !(s >= 0)) return unknown;
  if (s === 0) return '0 s';
  if (s < 0.9995e-3) return `${Math.max(1, Math.round(s * 1e6))} µs`;
  if (s < 0.9995) return `${(s * 1e3).toFixed(s < 0.00995 ? 1 : 0)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// elapsed returns how long ago something was, in whole seconds from one second on: digits that
// change at each tick distract.
export function elapsed(s) {
  if (s == null || !(s >= 0)) return unknown;
  return s < 1 ? 'under 1 s' : duration(Math.floor(s)).replace('.0 ', ' ');
}

// count returns a number of things, shortened from 10,000 on.
export function count(n) {
  if (n == null || n < 0) return unknown;
  if (n >= 999.5e6) return `${(n / 1e9).toFixed(1)} G`;
  if (n >= 999.5e3) return `${(n / 1e6).toFixed(n < 10e6 ? 2 : 1)} M`;
  if (n >= 99950) return `${Math.round(n / 1e3)} k`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(1)} k`;
  return Number.isInteger(n) ? whole(n) : n.toFixed(n < 10 ? 1 : 0);
}

// whole returns an integer in full, with commas.
export const whole = n => n.toLocaleString('en-US');

// percent returns a fraction as a percentage.
export function percent(x) {
  if (x == null || !(x >= 0)) return unknown;
  if (x === 0) return '0 %';
  if (x < 0.001) return '< 0.1 %';
  return `${(100 * x).toFixed(x < 0.0995 ? 1 : 0)} %`;
}

// some returns a number with its noun.
export const some = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;

// plain shows characters that hide, or that turn the direction of the text, as their codes. The
// server does the same with all names; texts of the address bar come without its help.
export const plain = s =>
  (s ?? '').replace(
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

// lines is plain for texts of several lines, such as stacks.
export const lines = s =>
  (s ?? '')
    .split('\n')
    .map(l => l.split('\t').map(plain).join('\t'))
    .join('\n');
