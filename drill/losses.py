"""What is killed in a drill, in which order, and how it comes back."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from drill.postgres import Pair
from drill.seaweed import Weed
from drill.service import Nginx, Service
from tests.daemon import Daemon
from tests.deploy.proxies import HOST
from tests.servers import valkey_server

_DAY: Final = "86400"


@dataclass(frozen=True)
class Loss:
    """A server that is killed: ``kill`` ends it, ``mend`` brings it back; both block."""

    name: str
    kill: Callable[[], None]
    mend: Callable[[], None]


class Rig:
    """The scaled profile on this machine: every server that takes part."""

    def __init__(self, running: ExitStack) -> None:
        self._postgres = Pair(running)
        self._weed = Weed(running)
        valkey = running.enter_context(valkey_server())
        self._valkey = valkey.process
        s3 = self._weed.s3
        self.service = Service(
            running,
            {
                "DATABASE_URL": self._postgres.url,
                "SIGNING_KEY": "signs-the-tokens-of-one-drill-only",
                "REDIS_URL": valkey.url,
                "ACTIVE_STORAGE": "s3",
                "S3_ENDPOINT_URL": s3.endpoint_url,
                "S3_ACCESS_KEY_ID": s3.access_key,
                "S3_SECRET_ACCESS_KEY": s3.secret_key,
                "S3_BUCKET_NAME": s3.bucket,
                "PUBLIC_URL": f"https://{HOST}",
                "TRUSTED_PROXIES": "127.0.0.1",
                "REGISTRATION": "open",
                "ACCESS_TOKEN_LIFETIME": _DAY,
                "EXPIRE_TIME": _DAY,
                "MAX_FILES": "100000",  # else the oldest go, as they should
                "LOG_FORMAT": "json",
            },
        )
        self.nginx = Nginx(running, self.service.ports)

    def losses(self) -> Sequence[Loss]:
        """Return what can be killed; the primary comes last, as its replica takes its place."""
        pair = self._postgres
        replica = pair.replica.process
        return (
            _restarted("a Holdall process", self.service.processes[0]),
            _restarted("a volume server", self._weed.volumes[0]),
            _restarted("Valkey", self._valkey),
            _restarted("the S3 gateway", self._weed.gateway),
            _restarted("nginx", self.nginx.process),
            _restarted("the replica", replica),
            Loss("the primary", pair.lose_primary, pair.pair),
        )


def _restarted(name: str, daemon: Daemon) -> Loss:
    return Loss(name, daemon.kill, daemon.start)
