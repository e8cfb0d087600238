"""The page behind the URL that the start prints: what this is, and the first steps."""

import shlex
from html import escape
from string import Template
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from routers.dependencies import RuntimeDep
from routers.links import base_url

router = APIRouter(include_in_schema=False)

_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdall</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto;
       padding: 0 1rem; }
pre { font-size: .85rem; padding: .8rem 1rem; border-radius: .4rem;
      white-space: pre-wrap; overflow-wrap: anywhere;
      background: color-mix(in srgb, currentColor 8%, transparent); }
h1 { margin-bottom: 0; } .lead { margin-top: .2rem; opacity: .8; }
</style>
</head>
<body>
<main>
<h1>Holdall</h1>
<p class="lead">A storage service for the things people park on a server.</p>
<p>It runs. <a href="$base/docs">Try the API here</a>, or read its
<a href="$base/openapi.json">OpenAPI document</a> and its <a href="$base/readyz">state</a>.
These lines work in a shell as they are:</p>
$accounts
<h2>Get a token</h2>
<pre>TOKEN=$$(curl -s $$HOLDALL/v1/auth/token -d username=ada -d password=correct-horse |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
AUTH="Authorization: Bearer $$TOKEN"</pre>
<h2>Store something, and fetch it</h2>
<pre>echo Hello &gt; hello.txt
curl -H "$$AUTH" -T hello.txt $$HOLDALL/v1/blobs/hello.txt/content
curl -H "$$AUTH" $$HOLDALL/v1/blobs/hello.txt/content</pre>
</main>
</body>
</html>
""")
_OPEN: Final = Template("""<h2>Make an account</h2>
<pre>HOLDALL=$url
curl $$HOLDALL/v1/accounts -H 'Content-Type: application/json' \\
  -d '{"username": "ada", "password": "correct-horse"}'</pre>""")
_CLOSED: Final = Template("""<h2>Accounts</h2>
<p>Registration is closed: ask the operator for an account, or set <code>REGISTRATION=open</code>.
</p>
<pre>HOLDALL=$url</pre>""")


@router.get("/")
async def home(request: Request, runtime: RuntimeDep) -> HTMLResponse:
    """Show the first steps."""
    url = base_url(request, runtime)
    accounts = _OPEN if runtime.settings.registration_open else _CLOSED
    page = _PAGE.substitute(
        base=escape(request.scope.get("root_path", "")),
        # a host name is what the browser says it is, and this one ends up in a shell
        accounts=accounts.substitute(url=escape(shlex.quote(url))),
    )
    headers = {"Content-Security-Policy": _CSP, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(page, headers=headers)
