// The page of tiers: a dialog makes, changes and deletes them.

import { manage } from "./admin.js";
import { ask } from "./http.js";

const UNITS = [1, 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40];
const ROOMS = ["max_object_bytes", "max_total_bytes"];
const DAY = 86_400; // s
// what one of each is in the API
const NUMBERS = { max_objects: 1, default_lifetime: DAY, max_lifetime: DAY, default_downloads: 1, max_downloads: 1 };

const tiers = document.getElementById("tier-dialog");
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
