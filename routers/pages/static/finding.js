// The form that searches and sorts a page's lists: they follow what is typed.

import { inTurn, renew } from "./parts.js";

const REST = 200; // ms after a key until the server is asked

const form = document.getElementById("find");
const lists = form.dataset.lists?.split(" ") ?? ["bundle-list", "list"];
let timer = null;

const find = inTurn(async () => {
  const address = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (value) address.searchParams.set(name, value);
  history.replaceState(null, "", address);
  await renew(...lists);
});

function soon() {
  clearTimeout(timer);
  timer = setTimeout(find, REST);
}

form.addEventListener("input", soon);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  find();
});
