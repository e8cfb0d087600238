// Says at the fields of a form what is wrong with them.

/**
 * Mark the fields that an error is about, with what is wrong beside each, and lead to the first. Returns the words for
 * the notice of the form: all that belongs to none of its fields.
 */
export function complain(form, error) {
  forgive(form);
  const others = [];
  let first = null;
  for (const { field, beside, words } of error.fields ?? []) {
    const input = fieldOf(form, field);
    if (!input) {
      others.push(words);
      continue;
    }
    const said = Object.assign(document.createElement("small"), { className: "complaint", textContent: beside });
    said.id = `${input.id}-complaint`;
    (input.closest(".field") ?? input.parentElement).append(said);
    input.ariaInvalid = "true";
    input.dataset.describedby = input.getAttribute("aria-describedby") ?? "";
    input.setAttribute("aria-describedby", `${said.id} ${input.dataset.describedby}`.trim());
    first ??= input;
  }
  first?.focus();
  return first ? others.join(". ") : error.message;
}

/** Take back what was said of a form. */
export function forgive(form) {
  for (const said of form.querySelectorAll(".complaint")) said.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.ariaInvalid = null;
    const { describedby } = input.dataset;
    if (describedby) input.setAttribute("aria-describedby", describedby);
    else input.removeAttribute("aria-describedby");
  }
}

/** The field of a name that people can fill in; several of one name, such as check boxes, have none to point at. */
function fieldOf(form, name) {
  const input = name && form.elements[name];
  return input?.id && input.checkVisibility() ? input : null;
}
