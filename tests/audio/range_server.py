"""A small HTTP server over a folder that answers requests for ranges of bytes, after a delay if asked, and counts
them."""

import hashlib
import http.server
import threading
import time
from contextlib import contextmanager
from pathlib import Path


class RangeServer:
    """What a running server was asked: `requests` (path with query, range) and `connections`; `failures` says by path
    how often it fails first."""

    def __init__(self, folder: Path, delay: float, ranges: bool):
        self.folder, self.delay, self.ranges = folder, delay, ranges
        self.requests: list[tuple[str, str | None]] = []
        self.connections = 0
        self.failures: dict[str, int] = {}
        self.address = ""


@contextmanager
def serving(folder, delay=0.0, ranges=True):
    """A server over `folder`, for the time of the context, that waits `delay` seconds before each answer."""
    known = RangeServer(Path(folder), delay, ranges)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            known.connections += 1
            super().setup()

        def do_GET(self):
            path, span = self.path.partition("?")[0], self.headers["Range"]
            known.requests.append((self.path, span))
            time.sleep(known.delay)
            if known.failures.get(path, 0) > 0:
                known.failures[path] -= 1
                self.send_error(503)
                return
            file = known.folder / path.lstrip("/")
            if not file.is_file():
                self.send_error(404)
                return
            self.answer(file, span if known.ranges else None)

        def answer(self, file, span):
            state = file.stat()
            first, last = 0, state.st_size - 1
            if span:
                first, last = map(int, span.removeprefix("bytes=").split("-"))
                last = min(last, state.st_size - 1)
            self.send_response(206 if span else 200)
            if span:
                self.send_header("Content-Range", f"bytes {first}-{last}/{state.st_size}")
            tag = hashlib.sha256(f"{file} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:16]
            self.send_header("ETag", f'"{tag}"')
            self.send_header("Content-Length", str(last - first + 1))
            self.end_headers()
            with open(file, "rb") as content:
                content.seek(first)
                self.wfile.write(content.read(last - first + 1))

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    running = Server(("127.0.0.1", 0), Handler)
    known.address = f"http://127.0.0.1:{running.server_port}"
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield known
    finally:
        running.shutdown()
        running.server_close()
