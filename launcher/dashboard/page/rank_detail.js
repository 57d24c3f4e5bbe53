// One rank, with all that it has said and the last lines of its stderr, which its node is asked for now and then.

const LINES_EACH = 5000;  // ms

class RankDetail {
  constructor(closed) {
    this.rank = null;    // its number
    this.answer = null;  // of the server, about its lines
    this.asked = 0;
    byId('detail-close').addEventListener('click', closed);
    setInterval(() => this.ask(), LINES_EACH);
  }

  open(number) {
    this.rank = number;
    this.answer = null;
    this.ask();
  }

  close() {
    this.rank = null;
    this.asked += 1;
  }

  draw(job) {
    byId('detail').hidden = this.rank === null;
    if (this.rank === null) return;
    setText(byId('detail-title'), say('rank_n', {n: this.rank}));
    const rank = job?.ranks.find((other) => other.rank === this.rank);
    fillChildren(byId('detail-rows'), rank ? detailRows(rank, job) : [], makeDetailRow, (row, [name, value]) => {
      setText(row.children[0], name);
      setText(row.children[1], value);
    });
    this.drawLines();
  }

  drawLines() {
    const lines = this.answer?.lines ?? [];
    setText(byId('lines'), lines.join('\n'));
    byId('lines').hidden = lines.length === 0;
    setText(byId('lines-note'), linesNote(this.answer));
  }

  /** An answer that comes after another rank was chosen is passed over. */
  async ask() {
    if (this.rank === null || document.hidden) return;
    this.asked += 1;
    const number = this.asked;
    const query = new URLSearchParams(location.search);
    query.set('rank', this.rank);
    let answer = {error: 'failed'};
    try {
      const response = await fetch(`stderr?${query}`, {cache: 'no-store', credentials: 'omit'});
      if (response.headers.get('Content-Type') === 'application/json') answer = await response.json();
    } catch {
      // There is no connection: the answer says so.
    }
    if (number !== this.asked) return;
    if (answer.error && this.answer?.lines) answer.lines = this.answer.lines;
    this.answer = answer;
    this.drawLines();
  }
}

function linesNote(answer) {
  if (answer === null) return say('asking');
  if (answer.error === 'no_answer') return say('no_answer', {s: duration(answer.seconds)});
  if (['no_such_rank', 'not_known'].includes(answer.error)) return say('no_such_rank');
  if (answer.error) return say('lines_failed');
  return (answer.lines.length ? '' : `${say('nothing_said')} `) + say('at_time', {time: clock(answer.time)});
}

/** [name, value] of all that is known. */
function detailRows(rank, job) {
  const ago = (seconds) => say('ago', {s: duration(seconds)});
  const rows = [];
  const add = (key, value, write) => {
    if (value !== null && value !== '') rows.push([say(key), write(value)]);
  };
  add('node', rank.node, (number) => (rank.host ? `${number} · ${rank.host}` : String(number)));
  add('pid', rank.pid, String);
  add('step', rank.step, (step) => (rank.total ? `${grouped(step)} / ${grouped(rank.total)}` : grouped(step)));
  add('samples', rank.samples, grouped);
  for (const key of ['samples_per_s', 'steps_per_s']) add(key, rank[key], shortNumber);
  for (const key of ['own', 'waiting']) add(key, rank[key], duration);
  for (const key of ['loss', 'eval_loss', 'learning_rate', 'grad_norm']) add(key, rank[key] ?? null, shortNumber);
  add('section', rank.section, (name) => sectionText(name, rank));
  add('age', rank.age, ago);
  add('step_age', rank.step_age, ago);
  add('messages', rank.dropped, grouped);
  add('wrong', rank.wrong, grouped);
  for (const mark of rank.marks) {
    rows.push([say(mark), say(`${mark}_title`, {factor: job.slow_times, steps: grouped(job.behindBy)})]);
  }
  return rows;
}

function sectionText(name, rank) {
  if (rank.section_age === null) return name;
  const key = rank.section_seconds === null ? 'section_for' : 'section_most';
  return say(key, {name, s: duration(rank.section_age), most: duration(rank.section_seconds)});
}

function makeDetailRow() {
  const row = element('tr');
  const name = element('th');
  name.scope = 'row';
  row.append(name, element('td'));
  return row;
}
