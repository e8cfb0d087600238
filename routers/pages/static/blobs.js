// The page of blobs: uploads, whose ids are a prefix and the name of the file, and the list of all.

import { growing, refresh } from "./parts.js";
import { openQueue, pickers, soon, takeInto } from "./uploads.js";

const form = document.getElementById("put");

growing("more", "blobs");

if (form) {
  const fields = pickers();
  const onDone = soon(async () => {
    await refresh("list");
    document.getElementById("find").hidden = false;
  });
  fields[0].required = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  takeInto(openQueue("blob", { verb: "stored", onDone }), fields, (given, queue) => {
    const prefix = form.elements.prefix.value;
    queue.add(given.map(({ file, path }) => ({ file, name: prefix + path, fields: { id: prefix + path } })));
  });
}
