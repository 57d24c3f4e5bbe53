// Many ranks as a list, of which only the rows that are seen exist. One row is in the tab order.

const ROW_HEIGHT = 28;
const ROWS_BEYOND = 4;

class RankList {
  /** `choose(rank)` is called with the number of a rank that is clicked. */
  constructor(choose) {
    this.choose = choose;
    this.ranks = [];
    this.chosen = null;
    this.at = 0;         // the place in the list of the row that keys move
    this.root = element('div', 'list');
    this.root.setAttribute('role', 'grid');
    this.title = element('div', 'row title');
    this.title.setAttribute('role', 'row');
    for (let i = 0; i < 6; i += 1) {
      const head = element('span');
      head.setAttribute('role', 'columnheader');
      this.title.append(head);
    }
    this.rows = element('div', 'rows');
    this.rows.setAttribute('role', 'rowgroup');
    this.space = element('div', 'space');
    this.space.setAttribute('role', 'presentation');
    this.pool = element('div');
    this.pool.setAttribute('role', 'presentation');
    this.rows.append(this.space, this.pool);
    this.root.append(this.title, this.rows);
    this.rows.addEventListener('scroll', () => this.drawRows());
    this.rows.addEventListener('keydown', (event) => this.onKey(event));
    this.rows.addEventListener('click', (event) => this.onClick(event));
  }

  draw(job, ranks, chosen) {
    Object.assign(this, {job, ranks, chosen});
    this.at = Math.min(this.at, Math.max(ranks.length - 1, 0));
    this.root.setAttribute('aria-label', say('ranks'));
    this.root.setAttribute('aria-rowcount', String(ranks.length + 1));
    ['rank', 'node', 'step', 'samples_per_s', 'by_rank', 'state'].forEach((key, i) => setText(this.title.children[i], say(key)));
    this.space.style.height = `${ranks.length * ROW_HEIGHT}px`;
    this.drawRows();
  }

  /** Those that are seen, and a few beyond. */
  drawRows() {
    const count = Math.ceil(this.rows.clientHeight / ROW_HEIGHT) + 2 * ROWS_BEYOND;
    const top = Math.floor(this.rows.scrollTop / ROW_HEIGHT) - ROWS_BEYOND;
    const first = Math.max(0, Math.min(top, this.ranks.length - count));  // it may have become shorter
    const seen = this.ranks.slice(first, first + count);
    const stop = this.at >= first && this.at < first + seen.length ? this.at : first;
    fillChildren(this.pool, seen, makeRow, (row, rank, i) => this.fill(row, rank, first + i, first + i === stop));
  }

  fill(row, rank, place, isStop) {
    row.style.top = `${place * ROW_HEIGHT}px`;
    row.dataset.place = place;
    row.dataset.rank = rank.rank;
    row.tabIndex = isStop ? 0 : -1;
    row.setAttribute('aria-rowindex', String(place + 2));
    row.setAttribute('aria-current', String(rank.rank === this.chosen));
    row.setAttribute('aria-label', rankLabel(rank));
    const [number, host, step, speed, bar, tags] = row.children;
    setText(number, String(rank.rank));
    setText(host, rank.host);
    setText(step, stepText(rank));
    setText(speed, rank.samples_per_s === null ? '' : shortNumber(rank.samples_per_s));
    fillBar(bar.firstElementChild, rank, this.job.longest);
    fillTags(tags, rank);
  }

  onClick(event) {
    const row = event.target.closest('.row');
    if (!row) return;
    this.at = Number(row.dataset.place);
    this.choose(Number(row.dataset.rank));
  }

  onKey(event) {
    const row = event.target.closest('.row');
    if (!row) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.onClick(event);
      return;
    }
    const page = Math.max(1, Math.floor(this.rows.clientHeight / ROW_HEIGHT) - 1);
    const by = {ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity}[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.goTo(Math.min(Math.max(Number(row.dataset.place) + by, 0), this.ranks.length - 1));
  }

  goTo(place) {
    this.at = place;
    const top = place * ROW_HEIGHT;
    if (top < this.rows.scrollTop) this.rows.scrollTop = top;
    const below = top + ROW_HEIGHT - this.rows.clientHeight;
    if (below > this.rows.scrollTop) this.rows.scrollTop = below;
    this.drawRows();
    this.pool.querySelector('[tabindex="0"]')?.focus({preventScroll: true});
  }
}

function makeRow() {
  const row = element('div', 'row');
  row.setAttribute('role', 'row');
  for (let i = 0; i < 6; i += 1) {
    const cell = element('span');
    cell.setAttribute('role', 'gridcell');
    row.append(cell);
  }
  row.children[4].append(makeBar());
  return row;
}
