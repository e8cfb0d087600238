"""The guide on top of the OpenAPI document: what newcomers to the API want to know first."""

from typing import Final

GUIDE: Final = """\
Sign up, sign in, send a file, and list what is there, with curl 7.82 or newer (for `--json`);
`$URL` is where this service is:

```sh
ADA='{"username": "ada", "password": "7 grey herons over"}'
curl --json "$ADA" $URL/v1/accounts
curl -d username=ada -d 'password=7 grey herons over' $URL/v1/auth/token
TOKEN=…   # the access_token of that answer
curl -H "Authorization: Bearer $TOKEN" -T photo.jpg $URL/v1/send/
curl -H "Authorization: Bearer $TOKEN" $URL/v1/files
```

- **Credentials.** `Authorization: Bearer …` takes an access token, an API key
  (`POST /v1/accounts/me/keys`), which permits what its scopes name, or the service token.
  **Authorize** signs you in on this page.
- **Errors** are problems (RFC 9457): `type` names the kind, `detail` says what happened, and
  `errors` which fields are wrong. Another account's things are a 404.
- **Lists** take `limit` and `cursor`; `next_cursor` is null on the last page.
- **Bytes** go in raw or by a multipart form, streamed, and are checked against `Content-Digest`.
  They come out with ranges, entity tags and `Repr-Digest`. `If-Match` and `If-None-Match` guard
  what is written.
- **HEAD** works wherever GET does under `/v1`. Times are in UTC (RFC 3339).
- **Contracts** come last: the APIs of other services, for clients that know those. New clients
  want `/v1`.
"""
