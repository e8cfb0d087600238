// The pages for administrators: dialogs that change accounts and tiers through the API.

import { ask } from "./http.js";
import { refresh } from "./parts.js";

const said = document.getElementById("said");

/** Wire a dialog: `save` and, where it has one, `remove` ask the API and return what to say of it. */
function manage(dialog, { save, remove }) {
  const form = dialog.querySelector("form");
  const wrong = form.querySelector("[role=alert]");

  async function attempt(button, act) {
    wrong.hidden = true;
    button.disabled = true;
    try {
      const done = await act(form.elements);
      dialog.close();
      await refresh("list");
      said.textContent = done;
      if (document.activeElement === document.body) document.getElementById("list").focus();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    } finally {
      button.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.submitter, save);
  });
  form.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  const end = form.querySelector("[data-delete]");
  end?.addEventListener("click", () => {
    if (confirm(end.dataset.question)) attempt(end, remove);
  });

  return (title, question) => {
    dialog.querySelector("h2").textContent = title;
    if (end) {
      end.hidden = !question;
      end.dataset.question = question;
    }
    wrong.hidden = true;
    dialog.showModal();
  };
}

const accounts = document.getElementById("account-dialog");
if (accounts) {
  let chosen;
  const show = manage(accounts, {
    async save({ tier, is_active, is_admin }) {
      const body = { tier: tier.value, is_active: is_active.checked, is_admin: is_admin.checked };
      await ask("PATCH", `/v1/accounts/${chosen.change}`, body);
      return `${chosen.name} is changed`;
    },
    async remove() {
      await ask("DELETE", `/v1/accounts/${chosen.change}`);
      return `${chosen.name} is deleted`;
    },
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-change]");
    if (!button) return;
    chosen = { ...button.dataset };
    const { tier, is_active, is_admin } = accounts.querySelector("form").elements;
    tier.value = chosen.tier;
    is_active.checked = chosen.active === "true";
    is_admin.checked = chosen.admin === "true";
    show(chosen.name, `Delete ${chosen.name} and all it keeps? There is no way back.`);
  });
}

const newAccount = document.getElementById("new-account-dialog");
if (newAccount) {
  const show = manage(newAccount, {
    async save({ username, password }) {
      await ask("POST", "/v1/accounts", { username: username.value, password: password.value });
      return `${username.value} is made`;
    },
  });
  document.querySelector("[data-new-account]").addEventListener("click", () => {
    newAccount.querySelector("form").reset();
    show("New account");
  });
}

const UNITS = [1, 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40];
const ROOMS = ["max_object_bytes", "max_total_bytes"];
const DAY = 86_400; // s
// what one of each is in the API
const NUMBERS = { max_objects: 1, default_lifetime: DAY, max_lifetime: DAY, default_downloads: 1, max_downloads: 1 };

const tiers = document.getElementById("tier-dialog");
if (tiers) {
  let chosen;
  const show = manage(tiers, {
    async save(fields) {
      await ask(chosen.id ? "PATCH" : "POST", `/v1/tiers${chosen.id ? `/${chosen.id}` : ""}`, factsOf(fields));
      return `${fields.name.value} is ${chosen.id ? "changed" : "made"}`;
    },
    async remove() {
      await ask("DELETE", `/v1/tiers/${chosen.id}`);
      return `${chosen.name} is deleted`;
    },
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-tier]");
    if (!button) return;
    chosen = JSON.parse(button.dataset.tier);
    fill(tiers.querySelector("form").elements, chosen);
    const canGo = chosen.id && !button.dataset.default;
    show(chosen.name ?? "New tier", canGo ? `Delete the tier ${chosen.name}?` : "");
  });
}

function fill(fields, tier) {
  fields.name.value = tier.name ?? "";
  for (const [name, unit] of Object.entries(NUMBERS)) {
    const value = tier[name] ?? null;
    fields[name].value = value === null ? "" : value / unit;
  }
  fields.heights.value = (tier.heights ?? []).join(", ");
  fields.allow_original.checked = tier.allow_original ?? false;
  fields.allow_links.checked = tier.allow_links ?? false;
  for (const name of ROOMS) {
    const bytes = tier[name] ?? null;
    // in the largest unit that says it exactly
    const unit = bytes ? UNITS.findLast((each) => bytes % each === 0) : 2 ** 30;
    fields[name].value = bytes === null ? "" : bytes / unit;
    fields[`${name}_unit`].value = unit;
  }
}

function factsOf(fields) {
  const facts = {
    name: fields.name.value.trim(),
    heights: (fields.heights.value.match(/\d+/g) ?? []).map(Number),
    allow_original: fields.allow_original.checked,
    allow_links: fields.allow_links.checked,
  };
  for (const [name, unit] of Object.entries(NUMBERS)) {
    const { value } = fields[name];
    facts[name] = value === "" ? null : Math.round(Number(value) * unit);
  }
  for (const name of ROOMS) {
    const value = fields[name].value;
    facts[name] = value === "" ? null : Math.round(Number(value) * Number(fields[`${name}_unit`].value));
  }
  return facts;
}
