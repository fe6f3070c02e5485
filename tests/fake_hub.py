"""A Hugging Face hub on this machine: one repository, served as the real one serves it."""

import hashlib
import json
import re
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git_hash(content):
    start = b"blob %d\0" % len(content)
    return hashlib.sha1(start + content, usedforsecurity=False).hexdigest()


def etag(name, content):
    """The hash that the hub calls a file by: weights are in LFS, all else is in git."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return git_hash(content)


class FakeHub:
    """What the hub has, what was asked of it, and where it fails.

    Attributes:
        sent: Bytes of content sent, by file name.
        cut: Files whose connection breaks after so many bytes, once.
        broken: Files that it cannot serve.
        stalled: Files of which it sends half, and then nothing until `released`.
    """

    def __init__(self, repository, folder):
        self.repository = repository
        paths = [path for path in folder.rglob("*") if path.is_file()]
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
        self.sent = Counter()
        self.cut = {}
        self.broken = set()
        self.stalled = set()
        self.released = threading.Event()

    def info(self):
        return {"id": self.repository, "sha": COMMIT, "siblings": []}

    def tree(self):
        return [self._entry(name, content) for name, content in self.files.items()]

    def _entry(self, name, content):
        entry = {"type": "file", "path": name, "size": len(content), "oid": git_hash(content)}
        if name.endswith(".safetensors"):
            lfs = {"oid": etag(name, content), "size": len(content), "pointerSize": 130}
            entry |= {"lfs": lfs}
        return entry


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub, path = self.server.hub, self.path.partition("?")[0]
        if path == f"/api/models/{hub.repository}/revision/main":
            self.send_json(hub.info())
        elif path == f"/api/models/{hub.repository}/tree/{COMMIT}":
            self.send_json(hub.tree())
        elif match := re.fullmatch(rf"/{hub.repository}/resolve/{COMMIT}/(.+)", path):
            self.send_file(hub, match[1])
        else:
            self.send_json({"error": "Repository not found"}, 404, "RepoNotFound")

    def send_json(self, content, code=200, error=None):
        body = json.dumps(content).encode()
        self.send_response(code)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("Content-Type", "application/json")
        self.finish_with(body)

    def send_file(self, hub, name):
        if name in hub.broken and self.command == "GET":
            self.send_json({"error": "out of order"}, 403)
            return
        whole = hub.files[name]
        start = int(re.match(r"bytes=(\d+)-|", self.headers.get("Range", ""))[1] or 0)
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{etag(name, whole)}"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        body = whole[start:]
        if self.command == "HEAD":
            self.finish_with(body)
            return
        sent = body[: len(body) // 2 if name in hub.stalled else hub.cut.pop(name, len(body))]
        self.finish_with(sent, len(body))
        hub.sent[name] += len(sent)
        if name in hub.stalled:
            hub.released.wait()
        self.close_connection = len(sent) < len(body)

    def finish_with(self, body, length=None):
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Say nothing of clients that are gone."""


@contextmanager
def serving(hub):
    """Serve a hub on a free port of this machine; yields its address."""
    server = Server(("127.0.0.1", 0), Answers)
    server.hub = hub
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        hub.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def put_in_cache(folder, cache, repository):
    """Lay a folder out as the hub's own tools do after a download, and return the snapshot."""
    home = cache / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / COMMIT
    for path in (path for path in folder.rglob("*") if path.is_file()):
        name, content = path.relative_to(folder), path.read_bytes()
        blob = home / "blobs" / etag(str(name), content)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(Path(*[".."] * (len(name.parts) + 1)) / "blobs" / blob.name)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / "main").write_text(COMMIT)
    return snapshot
