// The second factor on the page of the account: turned on and off, with recovery codes that are shown once.

import { ask } from "./http.js";
import { forgetProof, ME, proofOf } from "./proof.js";

const URL_OF = `${ME}/second-factor`;

/** What the forms of the second factor do, by their data-action. */
export const secondFactor = {
  async "begin-second-factor"(form, fields) {
    const { current_password } = proofOf(fields);
    const made = await ask("POST", URL_OF, { current_password });
    const confirm = form.parentElement.querySelector("[data-action=confirm-second-factor]");
    const image = confirm.querySelector("img");
    image.src = URL.createObjectURL(new Blob([made.qr], { type: "image/svg+xml" }));
    image.onload = () => URL.revokeObjectURL(image.src);
    confirm.querySelector(".totp-secret").textContent = made.secret.match(/.{1,4}/g).join(" ");
    form.hidden = true;
    confirm.hidden = false;
    confirm.elements.otp.focus();
  },

  async "confirm-second-factor"(form, fields) {
    const { recovery_codes } = await ask("POST", `${URL_OF}/confirm`, { otp: fields.get("otp") });
    form.closest("details").hidden = true;
    document.querySelector("#second-factor-title .badge").textContent = "on";
    show(recovery_codes);
  },

  async "renew-codes"(form, fields) {
    const { recovery_codes } = await ask("POST", `${URL_OF}/recovery-codes`, proofOf(fields));
    forgetProof(form);
    form.closest("details").open = false;
    show(recovery_codes);
  },

  async "end-second-factor"(_form, fields) {
    await ask("POST", `${URL_OF}/delete`, proofOf(fields));
    location.reload();
  },
};

function show(codes) {
  const shown = document.getElementById("recovery-codes");
  const items = codes.map((code) => {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("code"), { textContent: code }));
    return item;
  });
  shown.querySelector("ol").replaceChildren(...items);
  const text = `${codes.join("\n")}\n`;
  shown.querySelector("[data-copy]").dataset.copy = text;
  shown.querySelector("[download]").href = `data:text/plain,${encodeURIComponent(text)}`;
  shown.hidden = false;
  document.getElementById("recovery-codes-title").focus();
}

document.querySelector("[data-action=codes-kept]").addEventListener("click", () => location.reload());
