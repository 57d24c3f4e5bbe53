// Own time and waiting of each rank, one on top of the other; of very many ranks the slowest of each few.

const BARS = {height: 180, left: 52, apart: 8, top: 12, bottom: 156, narrowest: 3};  // in pixels

class RankBars {
  constructor() {
    this.card = element('section', 'card');
    const head = element('div', 'head');
    this.title = element('h2');
    this.legend = element('span', 'value');
    head.append(this.title, this.legend);
    this.svg = shape('svg', {height: BARS.height, role: 'img', 'data-name': 'ranks'});
    this.card.append(head, this.svg);
  }

  draw(ranks) {
    const timed = ranks.filter((rank) => rank.own !== null || rank.waiting !== null);
    this.card.hidden = timed.length === 0;
    if (timed.length === 0) return;
    const right = this.svg.clientWidth - BARS.apart;
    const each = Math.ceil(ranks.length / ((right - BARS.left) / BARS.narrowest));
    const bars = grouping(ranks, each);
    setText(this.title, say('by_rank') + (each > 1 ? ` (${say('of_each', {n: each})})` : ''));
    this.drawLegend();
    this.svg.setAttribute('aria-label', this.title.textContent);
    const most = Math.max(...bars.map((bar) => bar.own + bar.waiting)) || 1;
    const y = scaleOf(0, most, BARS.bottom, BARS.top);
    const x = scaleOf(0, bars.length, BARS.left, right);
    const width = Math.min((right - BARS.left) / bars.length * 0.8, 40);
    const column = (i, from, to) => (to > from ? `M${(x(i + 0.5) - width / 2).toFixed(2)} ${y(from).toFixed(2)}` +
      `h${width.toFixed(2)}V${y(to).toFixed(2)}h${(-width).toFixed(2)}z` : '');
    this.svg.replaceChildren();
    this.svg.dataset.y = [0, most, BARS.bottom, BARS.top].join(' ');
    this.svg.dataset.each = each;
    for (const tick of ticks(0, most, 4)) {
      this.svg.append(shape('path', {class: 'grid', d: `M${BARS.left} ${y(tick)}H${right}`}));
      this.svg.append(shape('text', {class: 'e', x: BARS.left - 6, y: y(tick) + 4}, duration(tick)));
    }
    this.svg.append(shape('path', {class: 'own', d: bars.map((bar, i) => column(i, 0, bar.own)).join('')}));
    this.svg.append(shape('path', {class: 'waiting', d: bars.map((bar, i) => column(i, bar.own, bar.own + bar.waiting)).join('')}));
    for (const tick of ticks(0, bars.length - 1 || 1, 10).filter((i) => Number.isInteger(i) && i < bars.length)) {
      this.svg.append(shape('text', {class: 'm', x: x(tick + 0.5), y: BARS.bottom + 16}, grouped(bars[tick].first)));
    }
  }

  drawLegend() {
    if (this.spoken === language()) return;
    this.spoken = language();
    this.legend.replaceChildren();
    for (const kind of ['own', 'waiting']) this.legend.append(element('i', `legend ${kind}`), say(kind));
  }
}

/** Of each `each` ranks the one with the longest own time. */
function grouping(ranks, each) {
  const bars = [];
  for (let i = 0; i < ranks.length; i += each) {
    let slowest = ranks[i];
    for (const rank of ranks.slice(i, i + each)) if ((rank.own ?? 0) > (slowest.own ?? 0)) slowest = rank;
    bars.push({first: ranks[i].rank, own: slowest.own ?? 0, waiting: slowest.waiting ?? 0});
  }
  return bars;
}
