// The page itself: what comes from the server is drawn, and what the reader does is obeyed.

class Page {
  constructor() {
    this.job = null;
    this.series = {};   // name -> [[step, value]]
    this.charts = ['loss', 'eval_loss', 'learning_rate', 'grad_norm'].map((name) => new LineChart(name));
    byId('charts').append(...this.charts.map((chart) => chart.card));
    this.bars = new RankBars();
    this.bars.card.hidden = true;
    byId('charts').before(this.bars.card);
    this.detail = new RankDetail(() => this.closeDetail());
    this.ranks = new RankCard((rank) => this.openDetail(rank));
    speak(languageWanted());
    byId('language').addEventListener('click', () => this.changeLanguage());
    document.addEventListener('keydown', (event) => this.onKey(event));
    document.addEventListener('visibilitychange', () => this.draw());
    addEventListener('resize', () => this.draw());
    this.connection = new Connection({
      state: (message) => this.takeState(message),
      points: (message) => this.takePoints(message),
      trouble: (message) => this.takeTrouble(message),
    });
    setInterval(() => this.drawNotice(), 1000);
    this.draw();
  }

  takeState(message) {
    this.job = readJob(message);
    if (hasEnded(this.job)) this.connection.end();
    this.draw();
  }

  /** Until the next state. */
  takeTrouble(message) {
    if (this.job) this.job.store_error = message.store_error;
    this.drawNotice();
  }

  takePoints(message) {
    if (message.reset) this.series = {};
    for (const [name, points] of Object.entries(message.series)) (this.series[name] ??= []).push(...points);
    this.drawCharts();
  }

  /** Nobody sees what is drawn in the background. */
  draw() {
    this.drawNotice();
    if (document.hidden) return;
    this.drawCharts();
    if (this.job) {
      this.drawTop();
      drawEvents(this.job.events);
      this.bars.draw(this.job.ranks);
      this.ranks.draw(this.job);
    }
    this.detail.draw(this.job);
  }

  /** What of the head depends on whether there is a connection. */
  drawTop() {
    this.shownLost = this.connection.lostFor() !== null;
    drawHead(this.job, this.shownLost);
    drawTiles(this.job, this.shownLost);
  }

  drawCharts() {
    if (document.hidden) return;
    byId('charts').hidden = !this.charts.some((chart) => this.series[chart.name]?.length);
    for (const chart of this.charts) chart.show(this.series[chart.name] ?? []);  // all, so that each knows its width
    for (const chart of this.charts) chart.draw();
  }

  drawNotice() {
    const lost = this.connection.lostFor();
    if (this.job && !document.hidden && (lost !== null) !== this.shownLost) this.drawTop();
    const lines = this.noticeLines(lost);
    byId('notice').hidden = lines.length === 0;
    setText(byId('notice-text'), lines.join('\n'));
    // Apart, as nobody wants each second read out.
    const counts = lost !== null && !(this.job && hasEnded(this.job));
    setText(byId('lost-for'), counts ? say('lost_for', {s: duration(Math.floor(lost))}) : '');
  }

  noticeLines(lost) {
    const time = this.job ? clock(this.job.time) : '–';
    if (lost === null && !this.job) return [say('connecting')];
    if (lost === null) return this.job.store_error ? [say('no_store', {why: this.job.store_error, time})] : [];
    if (!this.job) return [say('no_connection', {time})];
    if (hasEnded(this.job)) return [this.job.ended_by ? say('over_by', {signal: this.job.ended_by}) : say('over')];
    const again = this.connection.refused ? 'other_token' : 'host_again';
    return [say('no_connection', {time}), say(again, {where: this.job.where})];
  }

  openDetail(rank) {
    this.detail.open(rank);
    this.detail.draw(this.job);
    byId('detail-title').focus();
  }

  closeDetail() {
    this.detail.close();
    this.ranks.chosen = null;
    this.draw();
    this.ranks.focus();
  }

  changeLanguage() {
    speak(language() === 'zh' ? 'en' : 'zh');
    try {
      localStorage.setItem('language', language());
    } catch {
      // A browser that keeps nothing asks its own language again.
    }
    this.draw();
  }

  onKey(event) {
    const typing = event.target === byId('filter');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !byId('ranks').hidden) {
      event.preventDefault();
      byId('filter').focus();
    } else if (event.key === 'Escape' && this.detail.rank !== null && !typing) {
      this.closeDetail();
    } else if (event.key === 'Escape') {
      this.ranks.clearFilter();
      if (typing) this.ranks.focus();
    }
  }
}

/** What the reader has chosen, else the browser's. */
function languageWanted() {
  let kept = null;
  try {
    kept = localStorage.getItem('language');
  } catch {
    // As above.
  }
  return kept === 'zh' || kept === 'en' ? kept : (navigator.language ?? '').toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

new Page();
