// One plot on the shared time axis. It draws on a canvas; the texts beside it say the same.
import { count, duration } from './format.js';

const uPlot = window.uPlot; // a classic script, which comes before all modules
const two = n => String(n).padStart(2, '0');

// color returns a colour of the theme as the style sheets define it.
const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// dashes of lines, so that they differ also without colours.
const dashes = { solid: undefined, dash: [7, 4], dots: [2, 4] };

// clockTicks labels the time axis, with seconds only where the ticks need them.
const clockTicks = (_, ticks) =>
  ticks.map(t => {
    const d = new Date(t * 1000);
    return `${two(d.getHours())}:${two(d.getMinutes())}${ticks.some(x => x % 60) ? `:${two(d.getSeconds())}` : ''}`;
  });

// groups unites decisions whose marks would touch each other. The mark of a group says what came of
// all its decisions.
function groups(decisions, position, gap) {
  const all = [];
  for (const d of decisions) {
    if (d.target === d.workers) continue;
    const x = Math.round(position(d.at));
    const last = all.at(-1);
    if (last && x - last.x < gap) last.to = d.target;
    else all.push({ x, from: d.workers, to: d.target });
  }
  return all.map(({ x, from, to }) => ({ x, direction: to > from ? 'up' : to < from ? 'down' : 'mixed' }));
}

// outline is the shape of a mark around its middle.
const outlines = {
  up: [
    [-1, 0.9],
    [1, 0.9],
    [0, -0.9],
  ],
  down: [
    [-1, -0.9],
    [1, -0.9],
    [0, 0.9],
  ],
  mixed: [
    [-1, 0],
    [0, -1],
    [1, 0],
    [0, 1],
  ],
};

function shape(context, x, y, size, direction) {
  context.beginPath();
  for (const [dx, dy] of outlines[direction]) context.lineTo(x + dx * size, y + dy * size);
  context.fill();
}

// Chart draws the lines of a panel. The first panel of a figure has the marks of the decisions
// above it, and the last one has the labels of the time axis.
export class Chart {
  constructor(element, panel, { first, last, onCursor }) {
    Object.assign(this, {
      element,
      panel,
      first,
      last,
      onCursor,
      decisions: [],
      range: [0, 1],
      signature: '',
    });
    this.build([[], ...panel.lines.map(() => [])]);
    this.resizes = new ResizeObserver(() => this.plot.setSize(this.size()));
    this.resizes.observe(element);
    this.themes = () => {
      this.build(this.plot.data);
    };
    document.documentElement.addEventListener('themechange', this.themes);
  }

  size() {
    return {
      width: Math.max(120, this.element.clientWidth),
      height: Math.max(60, this.element.clientHeight),
    };
  }

  build(data) {
    this.plot?.destroy();
    const { lines } = this.panel;
    this.colors = { up: color('up'), down: color('down'), mixed: color('dim') };
    this.plot = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        padding: [this.first ? 20 : 8, 30, this.last ? 0 : 8, 0],
        cursor: { sync: { key: 'timeline' }, drag: { x: false, y: false }, y: false, points: { size: 7 } },
        scales: {
          x: { time: true, range: () => this.range },
          y: { range: (_, low, high) => [0, this.top(high)] },
        },
        axes: this.axes(),
        series: [{}, ...lines.map(line => this.series(line))],
        hooks: { drawAxes: [u => this.drawDecisions(u)], setCursor: [u => this.onCursor(u)] },
      },
      data,
      this.element,
    );
  }

  // top is the end of the vertical axis. Few things do not fill it, so that one task more is no peak.
  top(high) {
    const least = this.panel.unit === 'seconds' ? 0.001 : 4;
    return Math.max(high ?? 0, least) * 1.1;
  }

  axes() {
    const axis = {
      stroke: color('dim'),
      font: '12px system-ui, "DejaVu Sans", sans-serif',
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
    };
    const format = this.panel.unit === 'seconds' ? duration : count;
    return [
      {
        ...axis,
        space: 90,
        size: this.last ? 28 : 0,
        values: this.last ? clockTicks : (_, ticks) => ticks.map(() => ''),
      },
      {
        ...axis,
        space: 32,
        size: 66,
        gap: 8,
        incrs:
          this.panel.unit === 'seconds'
            ? undefined
            : [
                1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6,
                1e7, 1e8,
              ],
        values: (_, ticks) => ticks.map(v => format(v)),
      },
    ];
  }

  series(line) {
    const stroke = color(line.color);
    return {
      stroke,
      width: line.width ?? 1.8,
      dash: dashes[line.dash ?? 'solid'],
      points: { show: false },
      fill: line.fill ? `${stroke}26` : undefined,
      paths: line.step ? uPlot.paths.stepped({ align: 1 }) : undefined,
    };
  }

  // drawDecisions draws below the lines. A line through the plot shows what changed after a
  // decision; many of them would hide the plot, and then there are only the marks.
  drawDecisions(u) {
    const { ctx: context, bbox } = u;
    const ratio = uPlot.pxRatio;
    const { min, max } = u.scales.x;
    const seen = this.decisions.filter(d => d.at >= min && d.at <= max);
    const marks = groups(seen, t => u.valToPos(t, 'x', true), 12 * ratio);
    context.save();
    for (const { x, direction } of marks) {
      context.fillStyle = context.strokeStyle = this.colors[direction];
      if (marks.length <= 20) {
        context.globalAlpha = 0.3;
        context.lineWidth = ratio;
        context.beginPath();
        context.moveTo(x + 0.5, bbox.top - (this.first ? 4 : 8) * ratio);
        context.lineTo(x + 0.5, bbox.top + bbox.height + (this.last ? 0 : 8) * ratio);
        context.stroke();
      }
      context.globalAlpha = 1;
      if (this.first) shape(context, x, bbox.top - 11 * ratio, 4.5 * ratio, direction);
    }
    context.restore();
  }

  // set shows other points, and does nothing if there are none.
  set(data, decisions, range) {
    const signature = [
      data[0].length,
      data[0].at(-1),
      decisions.length,
      decisions.at(-1)?.number,
      ...range,
    ].join();
    if (signature === this.signature) return;
    Object.assign(this, { signature, decisions, range });
    this.plot.setData(data);
  }

  destroy() {
    this.resizes.disconnect();
    document.documentElement.removeEventListener('themechange', this.themes);
    this.plot.destroy();
  }
}
