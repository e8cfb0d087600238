"""The requests that carry an object's bytes, without what the client does around each.

That takes the client 3 to 5 ms of a processor: rules for endpoints, a model of the parameters,
hooks. Its signature and its HTTP session are all that these need.
"""

from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionError as Unreachable
from botocore.exceptions import HTTPClientError
from botocore.utils import check_dns_name, get_environ_proxies

_SUCCESSES: Final = range(200, 300)


class Direct:
    """Sends requests for objects of one bucket."""

    def __init__(
        self, http: AIOHTTPSession, auth: S3SigV4Auth, config: AioConfig, url: str
    ) -> None:
        self._http = http
        self._auth = auth
        self._config = config
        self.url = url
        """What stands before a key."""

    @classmethod
    def of(cls, client: Any, bucket: str, key: str, secret: str, *, verify: bool) -> Self:  # noqa: ANN401 - without types
        """Make one that does as a client does: its addresses, proxies and limits."""
        config, url = client.meta.config, _url_of(client, bucket)
        http = AIOHTTPSession(
            verify=verify,
            proxies=get_environ_proxies(url),
            timeout=(config.connect_timeout, config.read_timeout),
            max_pool_connections=config.max_pool_connections,
        )
        auth = S3SigV4Auth(Credentials(key, secret), "s3", client.meta.region_name)
        return cls(http, auth, config, url)

    async def send(
        self,
        method: str,
        key: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
    ) -> Any:  # noqa: ANN401 - botocore has no types
        """Return the response, None if it is no success; the body of one to a GET is to be read.

        Then the client is to be asked, which knows about redirects, repeats and errors.
        """
        url = self.url + quote(key, safe="/~")
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        request = AWSRequest(method, url, dict(headers))
        request.context["client_config"] = self._config
        self._auth.add_auth(request)
        try:
            response = await self._http.send(
                AWSPreparedRequest(method, url, request.headers, body, stream_output=body is None)
            )
        except (Unreachable, HTTPClientError):
            return None
        if response.status_code in _SUCCESSES:
            return response
        response.raw.close()
        return None

    async def aclose(self) -> None:
        await self._http.close()


def _url_of(client: Any, bucket: str) -> str:  # noqa: ANN401 - botocore has no types
    """Return what stands before a key: the bucket is in the host's name, or in the path."""
    url: str = client.meta.endpoint_url
    if client.meta.config.s3["addressing_style"] == "path" or not check_dns_name(bucket):
        return f"{url.rstrip('/')}/{bucket}/"
    scheme, _, host = url.partition("://")
    return f"{scheme}://{bucket}.{host}/"
