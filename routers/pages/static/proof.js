// What changes of the account want beside: the password, and a code of the second factor.

export const ME = "/v1/accounts/me";

/** What a form says to prove who sends it, as the API has it. */
export function proofOf(fields) {
  return { current_password: fields.get("current_password"), otp: fields.get("otp") };
}

/** Empty the fields of a form that proved it: a code works once. */
export function forgetProof(form) {
  form.elements.current_password.value = "";
  if (form.elements.otp) form.elements.otp.value = "";
}
