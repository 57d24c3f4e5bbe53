// Up to 64 ranks as cells, node by node. One of the cells is in the tab order; arrow keys go from cell to cell.

class RankGrid {
  /** `choose(rank)` is called with the number of a rank that is clicked. */
  constructor(choose) {
    this.choose = choose;
    this.root = element('div', 'ranks-grid');
    this.root.setAttribute('role', 'group');
    this.root.addEventListener('keydown', (event) => this.onKey(event));
    this.root.addEventListener('focusin', (event) => this.stopAt(event.target.closest('.cell')));
    this.stop = null;   // the rank whose cell is in the tab order
  }

  draw(job, ranks, chosen) {
    this.root.setAttribute('aria-label', say('ranks'));
    const nodes = [...new Set(ranks.map((rank) => rank.node))];
    if (!ranks.some((rank) => rank.rank === this.stop)) this.stop = ranks[0]?.rank ?? null;
    fillChildren(this.root, nodes, makeNode, (section, number) => {
      const node = job.nodeOf.get(number);
      setText(section.firstElementChild, node ? nodeLine(node) : '');
      const own = ranks.filter((rank) => rank.node === number);
      fillChildren(section.lastElementChild, own, () => this.makeCell(), (cell, rank) => this.fill(cell, rank, job, chosen));
    });
  }

  makeCell() {
    const cell = element('button', 'cell');
    cell.type = 'button';
    const head = element('span');
    head.append(element('b'), element('span', 'step'));
    const tags = element('span', 'tags');
    cell.append(head, makeBar(), tags);
    cell.addEventListener('click', () => this.choose(Number(cell.dataset.rank)));
    return cell;
  }

  fill(cell, rank, job, chosen) {
    cell.dataset.rank = rank.rank;
    cell.className = `cell ${rank.marks.join(' ')}`;
    cell.tabIndex = rank.rank === this.stop ? 0 : -1;
    cell.setAttribute('aria-label', rankLabel(rank));
    cell.setAttribute('aria-current', String(rank.rank === chosen));
    const [head, bar, tags] = cell.children;
    setText(head.children[0], String(rank.rank));
    setText(head.children[1], stepText(rank));
    fillBar(bar, rank, job.longest);
    fillTags(tags, rank);
  }

  stopAt(cell) {
    if (!cell) return;
    for (const other of this.root.querySelectorAll('.cell[tabindex="0"]')) other.tabIndex = -1;
    cell.tabIndex = 0;
    this.stop = Number(cell.dataset.rank);
  }

  onKey(event) {
    const cells = [...this.root.querySelectorAll('.cell')];
    const at = cells.indexOf(event.target.closest('.cell'));
    const to = at < 0 ? null : nextCell(cells, at, event.key);
    if (to === null) return;
    event.preventDefault();
    cells[to].focus();
  }
}

function makeNode() {
  const section = element('div', 'node');
  section.append(element('p', 'value'), element('div', 'cells'));
  return section;
}

function nodeLine(node) {
  const parts = [say('node_line', {rank: node.rank, host: node.host})];
  if (node.heartbeat_age_s !== null) parts.push(say('heartbeat', {s: duration(node.heartbeat_age_s)}));
  if (node.told_age_s !== null) parts.push(say('told_ago', {s: duration(node.told_age_s)}));
  return parts.join(' · ');
}

/** The cell that a key leads to, as they lie on the screen; null for other keys, and where there is none. */
function nextCell(cells, at, key) {
  if (key === 'Home') return 0;
  if (key === 'End') return cells.length - 1;
  if (key === 'ArrowLeft') return at > 0 ? at - 1 : null;
  if (key === 'ArrowRight') return at + 1 < cells.length ? at + 1 : null;
  if (key !== 'ArrowUp' && key !== 'ArrowDown') return null;
  const place = (cell) => cell.getBoundingClientRect();
  const here = place(cells[at]);
  const beyond = (box) => (key === 'ArrowDown' ? box.top - here.top : here.top - box.top);
  let best = null;
  cells.forEach((cell, i) => {
    const box = place(cell);
    if (beyond(box) <= 1) return;
    const far = beyond(box) * 10 + Math.abs(box.left - here.left);
    if (best === null || far < best.far) best = {i, far};
  });
  return best?.i ?? null;
}
