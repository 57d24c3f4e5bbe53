// Where values lie on a chart, and the round numbers beside it. Pure.

/** About `count` round numbers from `low` to `high`. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.7);
  const made = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) made.push(Number((i * step).toPrecision(12)));
  return made;
}

/** Lowest and highest of the values, a little apart also where all are the same. */
function spanOf(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  if (low === high) return [low - (Math.abs(low) || 1) * 0.05, high + (Math.abs(high) || 1) * 0.05];
  return [low, high];
}

/** A linear scale: from `low`..`high` to `from`..`to`. */
function scaleOf(low, high, from, to) {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}
