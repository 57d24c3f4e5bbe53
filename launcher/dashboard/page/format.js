// Numbers and times as people read them. null stands for what is not known.

/** Up to four digits that count; "nan", "inf" and "-inf" come as words. */
function shortNumber(value) {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e7) return value.toExponential(2).replace('e+', 'e').replace(/\.?0+e/, 'e');
  if (size >= 1000) return grouped(Math.round(value));
  return String(Number(value.toPrecision(4)));
}

/** 1234567 as "1,234,567". */
function grouped(value) {
  return value === null || value === undefined ? '–' : String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Seconds in the two largest units that they have. */
function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  const units = language() === 'zh' ? [' 秒', ' 分', ' 小时', ' 天'] : [' s', ' min', ' h', ' d'];
  if (seconds < 9.95) return `${Number(seconds.toPrecision(2))}${units[0]}`;
  if (seconds < 60) return `${Math.round(seconds)}${units[0]}`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}${units[1]} ${whole % 60}${units[0]}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)}${units[2]} ${minutes % 60}${units[1]}`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)}${units[3]} ${hours % 24}${units[2]}`;
}

/** Seconds since 1970 as the reader's time of day, with the date where it is not today. */
function clock(seconds) {
  const time = new Date(seconds * 1000);
  const pad = (number) => String(number).padStart(2, '0');
  const day = `${pad(time.getMonth() + 1)}-${pad(time.getDate())} `;
  const today = time.toDateString() === new Date().toDateString();
  return `${today ? '' : day}${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
}
