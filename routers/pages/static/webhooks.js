// The page of a webhook: what is on its way is looked for until its outcome is there.

import { looking, refresh } from "./parts.js";

const look = looking(
  () => document.querySelector("[data-pending]") !== null,
  () => refresh("list", "facts"),
);

document.getElementById("made-title")?.focus();
look();
