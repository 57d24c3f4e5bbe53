// All ranks: the filter above them, and below it cells or, of more than 64, a list.

const MOST_CELLS = 64;

class RankCard {
  /** `chosen(rank)`: the reader has chosen the rank of that number, or none (null). */
  constructor(chosen) {
    this.onChosen = chosen;
    this.chosen = null;
    this.marks = new Set();
    this.job = null;
    this.grid = new RankGrid((rank) => this.choose(rank));
    this.list = new RankList((rank) => this.choose(rank));
    this.slowest = byId('slowest');
    byId('filter').addEventListener('input', () => this.draw(this.job));
    for (const mark of MARKS) byId('marks').append(this.makeMark(mark));
  }

  makeMark(mark) {
    const button = element('button');
    button.type = 'button';
    button.dataset.mark = mark;
    button.addEventListener('click', () => {
      if (!this.marks.delete(mark)) this.marks.add(mark);
      this.draw(this.job);
    });
    return button;
  }

  choose(rank) {
    this.chosen = rank;
    this.draw(this.job);
    this.onChosen(rank);
  }

  /** Puts the keyboard where it was before a rank was chosen. */
  focus() {
    byId('rank-view').querySelector('[tabindex="0"]')?.focus();
  }

  clearFilter() {
    byId('filter').value = '';
    this.marks.clear();
    this.draw(this.job);
  }

  draw(job) {
    this.job = job;
    byId('ranks').hidden = !job || job.ranks.length === 0;
    if (byId('ranks').hidden) return;
    const shown = filtered(job.ranks, byId('filter').value, this.marks);
    this.drawTools(shown.length);
    const view = job.ranks.length > MOST_CELLS ? this.list : this.grid;
    if (byId('rank-view').firstElementChild !== view.root) byId('rank-view').replaceChildren(view.root);
    view.draw(job, shown, this.chosen);
  }

  drawTools(shown) {
    for (const button of byId('marks').children) {
      const mark = button.dataset.mark;
      const count = this.job.marked.get(mark);
      setText(button, `${say(mark)} ${grouped(count)}`);
      button.title = say(`${mark}_title`, {factor: this.job.slow_times, steps: grouped(this.job.behindBy)});
      button.setAttribute('aria-pressed', String(this.marks.has(mark)));
      button.hidden = count === 0 && !this.marks.has(mark);
    }
    const all = this.job.ranks.length;
    setText(byId('count'), shown === all ? '' : say('count', {shown: grouped(shown), all: grouped(all)}));
    setText(this.slowest, this.job.hang ? '' : slowestText(this.job.progress));
  }
}

function slowestText(progress) {
  if (!progress) return '';
  const slowest = progress.slowest;
  if (!slowest) return say(`no_slowest_${progress.no_slowest}`);
  return say(slowest.even ? 'slowest_even' : 'slowest', {
    rank: slowest.rank, host: slowest.host, own: duration(slowest.own_s), median: duration(slowest.median_own_s),
  });
}
