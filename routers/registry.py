"""The registry of all that is served: resources, upstream contracts, pages."""

from collections.abc import Sequence
from typing import Final

from app.config import ConfigError, Settings
from routers.compat.cloud_buffer import routes as cloud_buffer
from routers.compat.crash_store import routes as crash_store
from routers.compat.storagetiers import routes as storagetiers
from routers.compat.vertexcloud import routes as vertexcloud
from routers.pages import activity, admin, docs, home, links, manifest, static
from routers.pages import blobs as blob_pages
from routers.pages import buffer as buffer_page
from routers.pages import inboxes as inbox_pages
from routers.pages import webhooks as webhook_pages
from routers.pages.account import account, invitation, profile
from routers.pages.dumps import dumps as dump_pages
from routers.pages.dumps import rules as dump_rules_page
from routers.pages.dumps import signatures as signature_pages
from routers.pages.dumps import symbols as symbol_page
from routers.pages.pictures import albums
from routers.pages.pictures import pictures as picture_pages
from routers.pages.public import inbox, inbox_uploads, timelink
from routers.pages.rendering.templates import refuse
from routers.pages.sending import details, selection, share
from routers.v1 import (
    blobs,
    buffer,
    bundle_items,
    bundles,
    events,
    files,
    inboxes,
    pictures,
    send,
    service,
    timelinks,
    webhooks,
)
from routers.v1.accounts import (
    accounts,
    api_keys,
    auth,
    invitations,
    second_factor,
    sessions,
    tiers,
)
from routers.v1.dumps import attachments, dumps, minidumps, policy, rules, signatures
from routers.v1.symbols import library, server, sym_upload
from routers.v1.uploads import uploads
from routers.web.application import Contract, Place, Resource, Site
from routers.web.openapi import Tag

RESOURCES: Final = (
    Resource(
        Tag("files", "Files that are kept, or expire, each with a link.", "file"),
        [files.router, send.router, selection.router, details.router],
        place=Place("/file/load", "Send", "files"),
    ),
    Resource(
        Tag("bundles", "Ordered sets of things, each set under one link.", "bundle"),
        [bundles.router, bundle_items.router],
    ),
    Resource(
        Tag("buffer", "One clipboard per account, and its changes as they happen.", "buffer"),
        [buffer.router, buffer_page.router],
        place=Place("/file/buffer", "Buffer", "buffer"),
    ),
    Resource(
        Tag("pictures", "Pictures and their thumbnails.", "picture"),
        [pictures.router, albums.router, picture_pages.router],
        place=Place("/pictures", "Pictures", "pictures"),
    ),
    Resource(
        Tag("dumps", "Crash dumps, by label; also for Crashpad and Breakpad uploaders.", "dump"),
        [
            minidumps.router,
            signatures.router,
            rules.router,
            policy.router,
            dumps.router,
            attachments.router,
            signature_pages.router,
            dump_rules_page.router,
            dump_pages.router,
        ],
        place=Place("/dumps", "Dumps", "dumps"),
    ),
    Resource(
        Tag("symbols", "Symbols of applications, by which stacks have names and lines.", "symbols"),
        [sym_upload.router, server.router, library.router, symbol_page.router],
    ),
    Resource(
        Tag("uploads", "Uploads that go on where they broke off, by tus 1.0.", "upload"),
        [uploads.router],
    ),
    Resource(
        Tag("timelinks", "Public links to one object, for a time.", "timelink"),
        [timelinks.router, timelink.router, links.router],
        place=Place("/links", "Links", "links"),
    ),
    Resource(
        Tag("inboxes", "Links by which others give files, and read nothing.", "inbox"),
        [inboxes.router, inbox.router, inbox_uploads.router, inbox_pages.router],
        place=Place("/inboxes", "Inboxes", "inboxes"),
    ),
    Resource(
        Tag("blobs", "Bytes under an id that the client chooses, in JSON or raw.", "blob"),
        [blobs.router, blob_pages.router],
        place=Place("/blobs", "Blobs", "blobs"),
    ),
    Resource(
        Tag("events", "What happened to an account: listed, and as it happens.", "event"),
        [events.router, activity.router],
    ),
    Resource(
        Tag("webhooks", "URLs that are told what happens to an account.", "webhook"),
        [webhooks.router, webhook_pages.router],
    ),
    Resource(
        Tag("accounts", "Signing up, one's own account, and the administration of all.", "account"),
        [second_factor.router, accounts.router, account.router, profile.router],
    ),
    Resource(
        Tag(
            "invitations",
            "One-time links by which accounts are made, and passwords are set anew.",
            "invitation",
        ),
        [invitations.router, invitation.router],
    ),
    Resource(Tag("auth", "Access and refresh tokens.", "token"), [auth.router]),
    Resource(Tag("sessions", "The logins of one's own account.", "session"), [sessions.router]),
    Resource(
        Tag("keys", "API keys: each permits only what its scopes name.", "API key"),
        [api_keys.router],
    ),
    Resource(Tag("tiers", "What accounts may keep. For administrators.", "tier"), [tiers.router]),
    Resource(
        Tag(
            "service",
            "Whether the service lives and can serve, and what it has counted.",
            "service",
        ),
        [service.router],
    ),
)
"""Resources of the canonical API, and their pages, in the order of the bar and the document."""

PAGES: Final = tuple(page.router for page in (share, manifest, admin, docs, home, static))

CONTRACTS: Final = (
    Contract(
        Tag("crash-store", "The Crash Store contract, as its clients know it."),
        [crash_store.router],
    ),
    Contract(
        Tag("cloud-buffer", "The Cloud Buffer contract: the pages of the web interface."),
        [cloud_buffer.router],
        is_optional=False,
    ),
    Contract(
        Tag("vertexcloud", "The VertexCloud contract, as its clients know it."),
        [vertexcloud.router],
        at_root=vertexcloud.health,
    ),
    Contract(
        Tag("storagetiers", "The storagetiers contract, as its clients know it."),
        [storagetiers.router],
    ),
)


def site_of(settings: Settings) -> Site:
    """Return what to serve with these settings; raises `ConfigError` for a wrong `COMPAT`."""
    return Site(RESOURCES, _contracts(settings.compat), PAGES, error_page=refuse)


def _contracts(names: Sequence[str] | None) -> list[Contract]:
    optional = [contract.tag.name for contract in CONTRACTS if contract.is_optional]
    for name in names or ():
        if name not in optional:
            raise ConfigError(f"COMPAT: {name!r} is no contract: there are {', '.join(optional)}")
    left_out = set() if names is None else {*optional} - {*names}
    return [contract for contract in CONTRACTS if contract.tag.name not in left_out]
