// The page of accounts: dialogs make, change and delete them, invite people, and reset passwords.

import { manage, shown } from "./admin.js";
import { ask } from "./http.js";
import { showCode } from "./qr.js";

const element = (id) => document.getElementById(id);

/** Let a dialog show the link that it has made as soon as it is closed; returns what keeps the link until then. */
function handingOut(dialog) {
  let made = null;
  dialog.addEventListener("close", () => {
    if (!made) return;
    const code = URL.createObjectURL(new Blob([made.qr], { type: "image/svg+xml" }));
    showCode(code, made.url, made.name);
    element("qr").addEventListener("close", () => URL.revokeObjectURL(code), { once: true });
    made = null;
  });
  return (link, name) => (made = { ...link, name: link.mailed ? `${name}, sent by mail` : name });
}

let chosen; // the dataset of the button that was pressed

const account = element("account-dialog");
const keepReset = handingOut(account);
const change = manage(account, {
  async save({ tier, is_active, is_admin }) {
    const body = { tier: tier.value, is_active: is_active.checked, is_admin: is_admin.checked };
    await ask("PATCH", `/v1/accounts/${chosen.change}`, body);
    return `${chosen.name} is changed`;
  },
  async reset({ ends_second_factor }) {
    const body = { ends_second_factor: ends_second_factor.checked };
    const made = await ask("POST", `/v1/accounts/${chosen.change}/password-reset`, body);
    keepReset(made, `A new password for ${chosen.name}`);
    return `The link for ${chosen.name} is made`;
  },
  async remove() {
    await ask("DELETE", `/v1/accounts/${chosen.change}`);
    return `${chosen.name} is deleted`;
  },
});

const newAccount = element("new-account-dialog");
const make = manage(newAccount, {
  async save({ username, password }) {
    await ask("POST", "/v1/accounts", { username: username.value, password: password.value });
    return `${username.value} is made`;
  },
});

const invitation = element("invitation-dialog");
const keepInvitation = handingOut(invitation);
const invite = manage(invitation, {
  async save({ email, tier, is_admin, expires_in }) {
    const body = { tier: tier.value, is_admin: is_admin.checked, expires_in: Number(expires_in.value) };
    if (email.value) body.email = email.value;
    keepInvitation(await ask("POST", "/v1/invitations", body), "An invitation");
    return "The invitation is made";
  },
});

for (const [button, dialog, show, title] of [
  ["new-account", newAccount, make, "New account"],
  ["invite", invitation, invite, "Invite somebody"],
]) {
  element(button).addEventListener("click", () => {
    dialog.querySelector("form").reset();
    show(title);
  });
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-change], [data-take-back]");
  if (!button) return;
  if (button.dataset.takeBack) {
    await takeBack(button);
    return;
  }
  chosen = { ...button.dataset };
  const { tier, is_active, is_admin, ends_second_factor } = account.querySelector("form").elements;
  tier.value = chosen.tier;
  is_active.checked = chosen.active === "true";
  is_admin.checked = chosen.admin === "true";
  ends_second_factor.checked = false;
  account.querySelector("[data-of-second-factor]").hidden = chosen.secondFactor !== "true";
  change(chosen.name, `Delete ${chosen.name} and everything in it? This can't be undone.`);
});

async function takeBack(button) {
  if (!confirm("Withdraw this invitation? Its link stops working at once.")) return;
  try {
    await ask("DELETE", `/v1/invitations/${button.dataset.takeBack}`);
  } catch (error) {
    if (error.status !== 404) throw error; // it has just been accepted
  }
  await shown("The invitation is withdrawn");
  element("list").focus();
}
