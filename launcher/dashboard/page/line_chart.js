// A curve over the steps of the training, with axes and what its point under the pointer says.

const CHART = {height: 200, left: 46, apart: 8, top: 16, bottom: 176};  // in pixels; it is as wide as there is room

class LineChart {
  constructor(name) {
    this.name = name;
    this.all = [];
    this.points = [];   // the finite ones
    this.at = null;     // the point that is read
    this.card = element('section', 'card');
    const head = element('div', 'head');
    this.title = element('h2');
    this.value = element('span', 'value');
    head.append(this.title, this.value);
    this.svg = shape('svg', {height: CHART.height, role: 'img', tabindex: '0', 'data-name': name});
    this.svg.addEventListener('pointermove', (event) => this.readAt(event));
    this.svg.addEventListener('pointerleave', () => this.read(null));
    this.svg.addEventListener('keydown', (event) => this.onKey(event));
    this.svg.addEventListener('blur', () => this.read(null));
    this.card.append(head, this.svg);
  }

  /** Which points draw() draws: [step, value] by step. Without any there is no chart. */
  show(points) {
    this.all = points;
    this.points = points.filter(([, value]) => Number.isFinite(value));
    this.card.hidden = points.length === 0;
  }

  draw() {
    if (this.card.hidden) return;
    const [step, last] = this.all[this.all.length - 1];
    setText(this.title, say(this.name));
    setText(this.value, shortNumber(last));
    this.svg.setAttribute('aria-label',
      say('chart', {title: say(this.name), n: this.all.length, step: grouped(step), value: shortNumber(last)}));
    this.svg.replaceChildren();
    if (this.points.length === 0) return;
    this.drawAxes();
    const path = this.points.map(([x, y], i) => `${i ? 'L' : 'M'}${this.x(x).toFixed(2)} ${this.y(y).toFixed(2)}`);
    if (path.length === 1) path.push('h.01');
    this.svg.append(shape('path', {class: `line ${this.name}`, d: path.join('')}));
    this.reading = shape('g', {});
    this.svg.append(this.reading);
    if (this.at !== null) this.read(Math.min(this.at, this.points.length - 1));
  }

  drawAxes() {
    const [first, last] = spanOf(this.points.map(([step]) => step));
    const [low, high] = spanOf(this.points.map(([, value]) => value));
    this.right = this.svg.clientWidth - CHART.apart;
    this.x = scaleOf(first, last, CHART.left, this.right);
    this.y = scaleOf(low, high, CHART.bottom, CHART.top);
    this.svg.dataset.x = [first, last, CHART.left, this.right].join(' ');
    this.svg.dataset.y = [low, high, CHART.bottom, CHART.top].join(' ');
    for (const tick of ticks(low, high, 4)) {
      this.svg.append(shape('path', {class: 'grid', d: `M${CHART.left} ${this.y(tick)}H${this.right}`}));
      this.svg.append(shape('text', {class: 'e', x: CHART.left - 6, y: this.y(tick) + 4}, shortNumber(tick)));
    }
    this.svg.append(shape('path', {class: 'axis', d: `M${CHART.left} ${CHART.bottom}H${this.right}`}));
    for (const tick of ticks(first, last, 4).filter(Number.isInteger)) {
      this.svg.append(shape('text', {class: 'm', x: this.x(tick), y: CHART.bottom + 16}, grouped(tick)));
    }
  }

  readAt(event) {
    if (this.points.length === 0) return;
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    let nearest = 0;
    for (let i = 1; i < this.points.length; i += 1) {
      if (Math.abs(this.x(this.points[i][0]) - x) < Math.abs(this.x(this.points[nearest][0]) - x)) nearest = i;
    }
    this.read(nearest);
  }

  onKey(event) {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!by || this.points.length === 0) return;
    event.preventDefault();
    const from = this.at ?? this.points.length - 1;
    this.read(Math.min(Math.max(from + by, 0), this.points.length - 1));
  }

  read(at) {
    this.at = at;
    this.reading?.replaceChildren();
    if (at === null || !this.reading) return;
    const [step, value] = this.points[at];
    this.reading.append(shape('path', {class: 'axis', d: `M${this.x(step)} ${CHART.top}V${CHART.bottom}`}));
    this.reading.append(shape('text', {class: 'e read', x: this.right, y: 10}, `${say('step')} ${grouped(step)} · ${shortNumber(value)}`));
  }
}
