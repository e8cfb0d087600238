// Sizes, speeds and times in words, as the server says them.

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** A number of bytes: "1.5 MiB". */
export function size(bytes) {
  if (bytes < 1024) return `${Math.round(bytes)} ${bytes === 1 ? "byte" : "bytes"}`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A number of things: "1 file", "10,000 files". */
export function plural(count, thing) {
  return `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
}

export const files = (count) => plural(count, "file");
export const downloads = (count) => plural(count, "download");

/** A time in its two largest units: "2 h 5 min", "45 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const parts = [];
  let left = whole < 3600 ? whole : Math.ceil(whole / 60) * 60;
  for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    const count = Math.floor(left / length);
    left %= length;
    if (count) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ");
}

const DAY = 86_400_000; // ms
const WEEKDAY = new Intl.DateTimeFormat("en", { weekday: "long" });
const MONTH = new Intl.DateTimeFormat("en", { month: "short" });
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
const NEAR = { [-1]: "yesterday", 0: "today", 1: "tomorrow" };

/** The moment of an RFC 3339 time as people here say it: "today 14:05", "Tuesday 14:05", "3 Dec 2026". */
export function moment(text, now = new Date()) {
  const at = new Date(text);
  const days = (midnight(at) - midnight(now)) / DAY;
  if (Math.abs(days) >= 7) return `${at.getDate()} ${MONTH.format(at)} ${at.getFullYear()}`;
  return `${NEAR[days] ?? WEEKDAY.format(at)} ${TIME.format(at)}`;
}

/** Let a page's moments, `<time datetime="…" data-local>`, be in local time; titles have the exact ones. */
export function localise(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    if (time.matches("[data-local]")) time.textContent = moment(time.dateTime);
    time.title = EXACT.format(new Date(time.dateTime));
  }
}

/** The day of a local time, as a number that counts in days also where the clocks change. */
function midnight(date) {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
}
