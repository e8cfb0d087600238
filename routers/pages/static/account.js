// The page of the account: every form that has a data-action is sent to the API from here.

import { complain, forgive } from "./complaining.js";
import { ask, url } from "./http.js";
import { forgetProof, ME, proofOf } from "./proof.js";
import { forgetAll } from "./remembered.js";
import { secondFactor } from "./second_factor.js";
import { localise } from "./words.js";


const actions = {
  async name(form, fields) {
    const { display_name: name } = await ask("PATCH", ME, { display_name: fields.get("display_name").trim() || null });
    form.elements.display_name.value = name ?? "";
    return name ? `Visitors see “${name}”` : "Visitors see no name";
  },

  async email(form, fields) {
    const email = fields.get("email") || null;
    await ask("PATCH", ME, { email, ...proofOf(fields) });
    forgetProof(form);
    return email ? "The address is changed" : "The address is removed";
  },

  async password(form, fields) {
    const password = fields.get("password");
    await ask("PATCH", ME, { password, ...proofOf(fields) });
    if (fields.has("otp")) {
      location.assign(url("/account/login?next=/account/profile")); // which wants another code
      return "";
    }
    // that has ended this session too: begin another
    await ask("POST", "/account/login", { username: form.dataset.username, password });
    form.reset();
    for (const row of document.querySelectorAll("[data-row]:not([data-current])")) remove(row);
    return "The password is changed. All other sessions and all API keys have ended";
  },

  async key(form, fields) {
    const scopes = fields.getAll("scopes");
    if (!scopes.length) throw new Error("Choose at least one thing that it may do");
    const expires = fields.get("expires_in");
    const key = await ask("POST", `${ME}/keys`, {
      name: fields.get("name"),
      scopes,
      expires_in: expires ? Number(expires) : null,
    });
    form.reset();
    form.closest("details").open = false;
    list(key);
    show(key, form.dataset.placeholder);
  },

  async remove(form) {
    try {
      await ask("DELETE", form.dataset.path);
    } catch (error) {
      if (error.status !== 404) throw error; // it has ended by itself
    }
    const section = form.closest("section");
    remove(form.closest("[data-row]"));
    section.querySelector("h2").focus();
  },

  async "end-all"() {
    await ask("DELETE", `${ME}/sessions`);
    forgetAll();
    location.assign(url("/account/login"));
  },

  async delete(_form, fields) {
    await ask("POST", `${ME}/delete`, { password: fields.get("password"), otp: fields.get("otp") });
    forgetAll();
    location.assign(url("/account/goodbye"));
  },

  ...secondFactor,
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const act = actions[form.dataset.action];
  if (!act || event.defaultPrevented) return;
  event.preventDefault();
  const said = form.querySelector(".said") ?? form.closest("section").querySelector(".said");
  const button = form.querySelector("button[type=submit]");
  said.textContent = "";
  forgive(form);
  button.disabled = true;
  try {
    said.textContent = (await act(form, new FormData(form))) ?? "";
    said.classList.remove("error");
  } catch (error) {
    said.textContent = complain(form, error);
    said.classList.add("error");
  } finally {
    button.disabled = false;
  }
});

document.querySelector("[data-action=done]").addEventListener("click", () => {
  const shown = document.getElementById("new-key");
  shown.hidden = true;
  shown.querySelector(".secret").textContent = "";
  shown.querySelector(".uses").replaceChildren();
  document.getElementById("keys-title").focus();
});

function remove(row) {
  const section = row.closest("section");
  row.remove();
  const none = section.querySelector("[data-none]");
  if (none) none.hidden = section.querySelector("[data-row]") !== null;
}

/** Add a key to the list. */
function list(key) {
  const row = document.getElementById("key-row").content.cloneNode(true);
  row.querySelector(".key-name").textContent = key.name;
  row.querySelector(".key-hint").textContent = `${key.hint}…`;
  for (const scope of key.scopes) {
    const badge = Object.assign(document.createElement("span"), { className: "badge", textContent: scope });
    row.querySelector(".key-scopes").append(badge, " ");
  }
  if (key.expires_at) row.querySelector("time").dateTime = key.expires_at;
  else row.querySelector(".key-end").textContent = "does not expire";
  row.querySelector("form").dataset.path = `${ME}/keys/${key.id}`;
  row.querySelector("button").setAttribute("aria-label", `Delete the key ${key.name}`);
  const section = document.getElementById("keys");
  section.querySelector("[data-rows]").prepend(row);
  section.querySelector("[data-none]").hidden = true;
  localise(section);
}

/** Show a new key, and a line for a shell for each use that its scopes allow. */
function show(key, placeholder) {
  const shown = document.getElementById("new-key");
  shown.querySelector(".secret").textContent = key.key;
  shown.querySelector("[data-copy]").dataset.copy = key.key;
  const uses = document.getElementById("uses").content.cloneNode(true);
  for (const use of uses.querySelectorAll("li")) {
    if (!use.dataset.scopes.split(" ").every((scope) => key.scopes.includes(scope))) {
      use.remove();
      continue;
    }
    const text = use.querySelector("pre").textContent.replace(placeholder, key.key);
    use.querySelector("pre").textContent = text;
    const copy = use.querySelector("[data-copy]");
    if (copy) copy.dataset.copy = text;
    else use.querySelector("[download]").href = `data:application/json,${encodeURIComponent(text)}`;
  }
  shown.querySelector(".uses").replaceChildren(uses);
  shown.hidden = false;
  document.getElementById("new-key-title").focus();
}
