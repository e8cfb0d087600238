// The pages of inboxes: the lists are kept up to date.

import { growing, inTurn, refresh } from "./parts.js";
import { offerShare } from "./sharing.js";

const update = inTurn(() => refresh("list", "facts"));
const [list] = document.querySelectorAll("#inboxes, #arrivals");

if (list) growing("more", list.id);

const share = document.getElementById("share");
if (share) offerShare(share, share.dataset.name, share.dataset.url);

document.getElementById("made-title")?.focus();
document.addEventListener("arrived", () => update().catch(() => {})); // next time
