"""Events in words: one plain sentence each, for people."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from app.events.entities import EventType, Subject
from app.words import plural, size_in_words

_SENTENCES: Final[Mapping[str, str]] = {
    EventType.FILE_RECEIVED: "{who} sent {name}{size}{inbox}",
    EventType.BUNDLE_RECEIVED: "{who} sent {name}: {files}{inbox}",
    EventType.PICTURE_ADDED: "{who} added the picture {name}{size}",
    EventType.LINK_CREATED: "{who} made a link to {name}",
    EventType.LINK_DELETED: "{who} ended a link",
    EventType.LINK_USED_UP: "The link to {name} is used up after {downloads}",
    EventType.LINK_PASSWORD_FAILED: "Somebody entered a wrong password for a link",
    EventType.DUMP_NEW_SIGNATURE: "A new crash: {name}",
    EventType.DUMP_REGRESSION: "A resolved crash is back: {name}",
    EventType.DUMP_SPIKE: "A crash happens unusually often: {name}",
    EventType.DUMP_POLICY_CHANGED: "{who} changed which dumps are kept",
    EventType.DUMP_RULES_CHANGED: "{who} changed the rules for crash signatures",
    EventType.DUMP_RULES_STOPPED: "The rules for crash signatures were too slow and are off now",
    EventType.LOGIN_FAILED: "Somebody tried to sign in{as_user} with a wrong password",
    EventType.SESSION_BEGUN: "{who} signed in",
    EventType.SESSION_ENDED: "{who} ended a session",
    EventType.TOKEN_REUSED: "A refresh token was used twice, so its session was ended",
    EventType.CREDENTIALS_ENDED: "{who} ended all sessions and keys",
    EventType.KEY_CREATED: "{who} made the API key {name}",
    EventType.KEY_DELETED: "{who} deleted the API key {name}",
    EventType.PASSWORD_CHECK_FAILED: "{who} entered a wrong current password",
    EventType.PASSWORD_CHANGED: "{who} changed the password",
    EventType.SECOND_FACTOR_ENABLED: "{who} turned on the second factor",
    EventType.SECOND_FACTOR_DISABLED: "{who} turned off the second factor",
    EventType.SECOND_FACTOR_FAILED: "Somebody entered the right password but a wrong code",
    EventType.RECOVERY_CODE_USED: "A recovery code was used",
    EventType.RECOVERY_CODES_RENEWED: "{who} made new recovery codes",
    EventType.EMAIL_CHANGED: "{who} changed the email address",
    EventType.ACCOUNT_CREATED: "The account {name} was created",
    EventType.ACCOUNT_CHANGED: "{who} changed the account {name}",
    EventType.ACCOUNT_DELETED: "{who} deleted the account {name}",
    EventType.INVITATION_CREATED: "{who} invited somebody",
    EventType.INVITATION_ACCEPTED: "An invitation was accepted",
    EventType.INVITATION_DELETED: "{who} withdrew an invitation",
    EventType.RESET_CREATED: "{who} made a link for resetting a password",
    EventType.RESET_USED: "A link for resetting a password was used",
    EventType.TIER_CREATED: "{who} made the tier {name}",
    EventType.TIER_CHANGED: "{who} changed the tier {name}",
    EventType.TIER_DELETED: "{who} deleted the tier {name}",
    EventType.WEBHOOK_CREATED: "{who} made a webhook to {name}",
    EventType.WEBHOOK_CHANGED: "{who} changed the webhook to {name}",
    EventType.WEBHOOK_DELETED: "{who} deleted the webhook to {name}",
    EventType.WEBHOOK_PAUSED: "The webhook to {name} is paused because deliveries failed",
}
"""By type. Types that are missing here say their name, and that of what they are about."""

_MARK: Final = "\0"  # no name has it


def sentence(
    type: str,  # noqa: A002
    subject: Subject | None,
    facts: Mapping[str, Any],
    actor: Mapping[str, str],
    address: str | None,
) -> str:
    """Return what happened as a sentence without its full stop.

    ``actor`` is what `Actor.facts` says of who did it.
    """
    name = "" if subject is None else subject.name or ""
    words = {
        "who": _who(actor, address),
        "name": name,
        "size": f" ({size_in_words(facts['size'])})" if facts.get("size") is not None else "",
        "inbox": f" to {facts['inbox']}" if facts.get("inbox") else "",
        "files": plural(facts.get("files", 0), "file"),
        "downloads": plural(facts.get("downloads", 0), "download"),
        "as_user": f" as {facts['username']}" if facts.get("username") else "",
    }
    if subject is not None and subject.kind == "inbox":
        verb = "made" if type == EventType.LINK_CREATED else "deleted"
        return f"{words['who']} {verb} the inbox {name}"
    template = _SENTENCES.get(type) or " ".join([*type.replace("_", " ").split("."), "{name}"])
    return template.format_map(defaultdict(str, words)).strip()


def around(said: Callable[[Subject | None], str], subject: Subject | None) -> tuple[str, str, str]:
    """Return what ``said`` says of a subject in three parts: the second is the subject's name.

    Where the sentence doesn't name it, that is all of the sentence.
    """
    if subject is None or not subject.name:
        return "", said(subject), ""
    before, mark, after = said(replace(subject, name=_MARK)).partition(_MARK)
    return (before, subject.name, after) if mark else ("", before, "")


def _who(actor: Mapping[str, str], address: str | None) -> str:
    if "key_name" in actor:
        return f"The key {actor['key_name']}"
    if "username" in actor:
        return actor["username"]
    if "account" in actor:
        return "You"
    return "The service" if address is None else "A visitor"
