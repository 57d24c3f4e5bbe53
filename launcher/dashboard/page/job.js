// What the server says of the job, and what follows from it for each rank. Pure.

const BEHIND_SECONDS = 5;     // so much work behind the first rank
const MARKS = ['suspect', 'slow', 'behind', 'old', 'none'];

/** A message of the server, with the ranks as objects with names. */
function readJob(message) {
  const job = {...message, nodeOf: new Map(message.nodes.map((node) => [node.rank, node]))};
  job.ranks = message.ranks.map((row) => readRank(row, message.columns, job.nodeOf));
  job.behindBy = Math.max(1, Math.ceil(BEHIND_SECONDS * (job.progress?.steps_per_s ?? 0)));
  const first = job.progress?.ahead?.step ?? null;
  for (const rank of job.ranks) rank.marks = marksOf(rank, job, first);
  job.marked = new Map(MARKS.map((mark) => [mark, job.ranks.filter((rank) => rank.marks.includes(mark)).length]));
  job.longest = job.ranks.reduce((most, rank) => Math.max(most, (rank.own ?? 0) + (rank.waiting ?? 0)), 0);
  return job;
}

function readRank(row, columns, nodes) {
  const rank = {};
  columns.forEach((name, i) => { rank[name] = row[i] ?? null; });
  const node = nodes.get(rank.node);
  rank.host = node?.host ?? '';
  rank.old = node?.old ?? false;
  rank.known = rank.age !== null || rank.dropped !== null || rank.wrong !== null;
  return rank;
}

function marksOf(rank, job, first) {
  const marks = job.hang?.ranks.includes(rank.rank) ? ['suspect'] : [];
  if (!rank.known) return [...marks, 'none'];
  if (rank.old) return [...marks, 'old'];
  if (job.hang) return marks;  // nobody is slow where nobody moves
  if (rank.slow) marks.push('slow');
  if (rank.step !== null && first !== null && first - rank.step > job.behindBy) marks.push('behind');
  return marks;
}

/** What is left of the training, in seconds, at the pace of now; null where it is not known, or nothing moves. */
function timeLeft(job) {
  const progress = job.progress;
  if (job.state !== 'running' || !progress?.total || !progress.behind || !(progress.steps_per_s > 0)) return null;
  return Math.max(0, progress.total - progress.behind.step) / progress.steps_per_s;
}

/** The word for its state: "running", "waiting_nodes", "hangs", "succeeded", "failed" or "ended". */
function howItIs(job) {
  return job.state === 'waiting' ? 'waiting_nodes' : job.state;
}

function hasEnded(job) {
  return ['succeeded', 'failed', 'ended'].includes(job.state);
}

/**
 * The ranks that a filter leaves: each of its words is a number or range of ranks ("3", "8-15"), or a part of the host's
 * name or the section's; and one of `marks`, unless there are none.
 */
function filtered(ranks, text, marks) {
  const tests = text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const range = /^(\d+)(?:-(\d+))?$/.exec(word);
    if (range) return (rank) => rank.rank >= Number(range[1]) && rank.rank <= Number(range[2] ?? range[1]);
    return (rank) => rank.host.toLowerCase().includes(word) || (rank.section ?? '').toLowerCase().includes(word);
  });
  return ranks.filter((rank) => tests.every((test) => test(rank)) &&
    (marks.size === 0 || rank.marks.some((mark) => marks.has(mark))));
}
