// The top of the page: the job in a line, how it gets on in tiles; and at its foot what has happened.

const PILLS = {succeeded: 'good', failed: 'bad', ended: 'warn', waiting_nodes: 'warn', running: '', hangs: 'bad', lost: 'warn'};

/** `lost`: there is no connection, so that nothing is known of now. */
function drawHead(job, lost) {
  const how = lost && !hasEnded(job) ? 'lost' : howItIs(job);
  const name = [job.job, job.script].filter(Boolean).join(' · ');
  setText(byId('job'), name);
  const word = job.ended_by ? say('ended_by', {signal: job.ended_by}) : say(how);
  document.title = `${name} · ${word}`;
  setText(byId('how'), word);
  byId('how').className = `pill ${PILLS[how] ?? ''}`;
  const facts = [say('facts', {
    where: job.where, round: job.round, nodes: countOf('node', job.nodes.length), ranks: countOf('rank', job.ranks_in_all),
    restarts: grouped(job.restarts),
  })];
  if (job.last_call_ends_in_s !== null) facts.push(say('last_call', {s: duration(job.last_call_ends_in_s)}));
  const missing = job.missing_node_ranks;
  if (missing.length) facts.push(say('missing_nodes', {ranks: missing.join(', ')}));
  if (job.waiting.length) facts.push(say('waiting_for_round', {names: job.waiting.join(', ')}));
  if (job.spare.length) facts.push(say('spare', {names: job.spare.join(', ')}));
  setText(byId('facts'), facts.join(' · '));
  drawCause(job.root_cause);
  drawHang(job.hang);
  setText(byId('told'), say('told', {version: job.mdl, time: clock(job.time)}));
}

function drawCause(cause) {
  byId('cause').hidden = !cause;
  if (!cause) return;
  const first = cause.rank === null ? say('cause_nobody', {what: cause.end}) : say('cause', {rank: cause.rank, host: cause.host, what: cause.end});
  const lines = [first, cause.hint, cause.message];
  setText(byId('cause'), lines.filter(Boolean).join('\n'));
}

/** Since when and why, for as long as the job hangs. */
function drawHang(hang) {
  byId('hang').hidden = !hang;
  if (!hang) return;
  setText(byId('hang-verdict'), hang.verdict);
  setText(byId('hang-since'), say('hangs_since', {time: clock(hang.since_s), s: duration(hang.for_s)}));
}

/** Only of what is known. */
function tilesOf(job, lost) {
  const progress = job.progress;
  if (!progress) return [];
  const tiles = [];
  const add = (key, value, write, note = '') => {
    if (value !== null && value !== undefined) tiles.push({title: say(key), value: write(value), note});
  };
  const steps = [progress.behind, progress.ahead].filter(Boolean).map((one) => grouped(one.step));
  if (steps.length) {
    const part = progress.total ? progress.behind.step / progress.total : null;
    const note = progress.total ? say('of', {total: grouped(progress.total)}) : '';
    tiles.push({title: say('step'), value: [...new Set(steps)].join('–'), note, part});
  }
  add('samples_per_s', progress.samples_per_s, shortNumber);
  add('steps_per_s', progress.steps_per_s, shortNumber);
  add('loss', progress.loss, shortNumber);
  const left = lost ? null : timeLeft(job);
  add('left', left, duration, left === null ? '' : say('ends', {time: clock(job.time + left)}));
  return tiles;
}

function drawTiles(job, lost) {
  const make = () => {
    const tile = element('div', 'tile');
    const bar = element('progress');
    bar.max = 1;
    tile.append(element('span'), element('b'), element('small'), bar);
    return tile;
  };
  fillChildren(byId('tiles'), tilesOf(job, lost), make, (tile, {title, value, note, part}) => {
    const [name, number, small, bar] = tile.children;
    setText(name, title);
    setText(number, value);
    setText(small, note);
    bar.hidden = part === null || part === undefined;
    if (!bar.hidden) {
      bar.value = part;
      bar.setAttribute('aria-label', title);
    }
  });
}

/** The newest first. */
function drawEvents(events) {
  byId('events').hidden = events.length === 0;
  const make = () => {
    const line = element('li');
    line.append(element('time'), element('span', 'host'), element('span'), element('span'));
    line.lastElementChild.lang = 'en';
    return line;
  };
  fillChildren(byId('event-list'), [...events].reverse(), make, (line, event) => {
    const [time, host, kind, text] = line.children;
    setText(time, clock(event.time_s));
    time.dateTime = new Date(event.time_s * 1000).toISOString();
    setText(host, event.host);
    setText(kind, `kind_${event.kind}` in words ? say(`kind_${event.kind}`) : event.kind);
    setText(text, event.text);
  });
}
