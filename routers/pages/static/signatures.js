// The list of signatures: a change of a filter applies at once, and more of them come by a button.

import { growing } from "./parts.js";

growing("more", "rows");

for (const id of ["state", "sort"]) {
  document.getElementById(id).addEventListener("change", ({ target }) => target.form.requestSubmit());
}
