// What is said of one rank, in a cell, a row and to a screen reader.

function stepText(rank) {
  return rank.step === null ? '' : grouped(rank.step);
}

/** The two parts of a bar, against the longest step of all ranks. */
function fillBar(bar, rank, longest) {
  const part = (seconds) => (longest > 0 ? `${((seconds ?? 0) / longest * 100).toFixed(2)}%` : '0');
  bar.children[0].style.width = part(rank.own);
  bar.children[1].style.width = part(rank.waiting);
}

function makeBar() {
  const bar = element('span', 'bar');
  bar.append(element('i', 'own'), element('i', 'waiting'));
  return bar;
}

/** Marks, and the section that it is in. */
function fillTags(target, rank) {
  const tags = rank.marks.map((mark) => [mark, say(mark)]);
  if (rank.section) tags.push(['section', rank.section]);
  fillChildren(target, tags, () => element('span', 'mark'), (tag, [kind, text]) => {
    tag.className = `mark ${kind}`;
    setText(tag, text);
  });
}

/** All of it in a sentence. */
function rankLabel(rank) {
  const parts = [say('rank_n', {n: rank.rank}), rank.host];
  if (rank.step !== null) parts.push(`${say('step')} ${rank.step}`);
  if (rank.own !== null) parts.push(`${say('own')} ${duration(rank.own)}`);
  if (rank.waiting !== null) parts.push(`${say('waiting')} ${duration(rank.waiting)}`);
  if (rank.section) parts.push(`${say('section')} ${rank.section}`);
  return parts.concat(rank.marks.map((mark) => say(mark))).join(', ');
}
