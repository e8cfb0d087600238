"""The measurements by name, in the order of the table."""

from bench.measures.archives import archives
from bench.measures.dumps import crash_reports, form_upload, search
from bench.measures.expiry import expiry
from bench.measures.health import health_latency
from bench.measures.large import download, upload
from bench.measures.listing import last_page
from bench.measures.memory import peak_memory
from bench.measures.pictures import thumbnails
from bench.measures.resumable import resumable
from bench.measures.small import objects, objects_on_postgres
from bench.measures.workers import workers
from bench.result import Measure

MEASURES: dict[str, Measure] = {
    "upload": upload,
    "download": download,
    "resumable": resumable,
    "archives": archives,
    "small": objects,
    "postgres": objects_on_postgres,
    "workers": workers,
    "memory": peak_memory,
    "health": health_latency,
    "listing": last_page,
    "pictures": thumbnails,
    "form": form_upload,
    "crashpad": crash_reports,
    "search": search,
    "expiry": expiry,
}

AGAINST_EARLIER = ("upload", "download", "small", "postgres")
"""Those that can measure Holdall against an earlier commit of its own."""
