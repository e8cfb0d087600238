// Room for files that expire: there is a bound to them, and none goes unless somebody lets it go.

import { ask } from "./http.js";

const NAMED = 10; // of those that would go

let growing = 0; // files under way that take the place of no other
const promised = new Set(); // ids of those that go when what takes their place is here
let ended = 0; // how many came to their end
let waiting = []; // for the next of them

/** All files and bundles that expire, those first that go first. */
export async function expiring() {
  const all = [...(await listed("/v1/files")), ...(await listed("/v1/bundles"))];
  const of = (moment) => new Date(moment).getTime();
  return all.sort((a, b) => of(a.expires_at) - of(b.expires_at) || of(a.created_at) - of(b.created_at));
}

async function listed(list) {
  const items = [];
  let cursor = "";
  do {
    const page = await ask("GET", `${list}?state=expiring&limit=1000${cursor}`);
    items.push(...page.items);
    cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor);
  return items;
}

/**
 * Find room for `count` more files, of which there may be `most`; `onWait` hears why that takes a
 * while. Resolves to what each may evict, "none" or an id, and `leave` must be called with each when
 * its file is here or won't come; to null when somebody would rather not. Rejects with what to say
 * when there can't be room.
 */
export async function enter(count, most, onWait) {
  let before, files, missing;
  do {
    before = ended;
    files = (await expiring()).filter((file) => !promised.has(file.id));
    if (before !== ended) continue; // the list may lack one that is here now
    missing = count - (most - files.length - promised.size - growing);
    if (missing <= 0 || !(growing || promised.size)) break;
    // it may have one that is under way, too, which would count twice
    onWait(`There can be ${most} files that expire, including those being sent. These wait until some of them have arrived.`);
    await new Promise((resolve) => waiting.push(resolve));
  } while (before !== ended);
  const going = files.slice(0, Math.max(0, missing));
  if (missing > files.length || missing > count) {
    throw new Error(
      `${most} files that expire can be here at once. Send fewer, delete some first, or send files that never expire.`,
    );
  }
  if (going.length && !confirm(question(going, most))) return null;
  const evicted = [...Array(count - going.length).fill("none"), ...going.map((file) => file.id)];
  growing += count - going.length;
  for (const file of going) promised.add(file.id);
  return evicted;
}

export function leave(evicted) {
  if (evicted === "none") growing -= 1;
  else promised.delete(evicted);
  ended += 1;
  for (const resolve of waiting) resolve();
  waiting = [];
}

function question(going, most) {
  const names = going.slice(0, NAMED).map((file) => `\u2022 ${file.name}`);
  if (going.length > NAMED) names.push(`\u2022 and ${going.length - NAMED} more`);
  return `${most} files that expire can be here at once. To make room, these will be deleted, and their links will end:\n\n${names.join("\n")}`;
}
