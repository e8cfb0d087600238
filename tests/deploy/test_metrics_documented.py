"""Every metric of ours is in the documentation, which names no other."""

import re

from app.metrics import registry
from tests.deploy import ROOT


def test_the_documentation_lists_the_metrics_that_there_are() -> None:
    own = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
        if re.match("holdall_|http_server_", family.name)
    }
    own = {"holdall_build_info" if name == "holdall_build" else name for name in own}
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"`((?:holdall|http_server)_[a-z_]+)`", text)) == own
