"""A small hub on loopback that speaks the HTTP APIs of Hugging Face and of ModelScope, for tests without the internet.

Facts of both are those that huggingface_hub 2.4.0 and modelscope 1.40.2 rely on; test_worker_hub_server.py proves it with
these packages. Large files come from a second host and port (the CDN), as with the real ones.
"""

import fnmatch
import json
import mmap
import select
import socket
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hub_repository import LARGE, Asked, Fault, Repository

PIECE = 1 << 16


class Handler(BaseHTTPRequestHandler):
    """Both sides; `self.server.side` tells which."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0
    repository, asked, fault = None, None, Fault()

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_CONNECT(self):
        """As a proxy: a tunnel to where the client wants, for https. (For http, answer() is proxy enough.)"""
        self.server.hub.tunnels.append(self.path)
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    piece = end.recv(PIECE)
                    if not piece:
                        self.close_connection = True
                        return
                    ends[end].sendall(piece)

    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = [urllib.parse.unquote(part) for part in url.path.split("/")[1:]]
        self.repository, self.asked, self.fault = None, None, Fault()
        try:
            if self.server.side == "cdn":
                self.answer_content(parts)
            elif parts[:2] == ["api", "v1"]:
                self.answer_modelscope(parts[2:], query)
            else:
                self.answer_huggingface(parts, query)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    # What both have in common

    def take(self, name, file, for_content=True):
        """Notes the request for a file ("" for the repository itself); whether it is answered already."""
        self.repository = self.server.hub.repositories.get(name)
        headers = {key: self.headers.get(key, "") for key in ("host", "range", "authorization", "cookie")}
        self.asked = Asked(self.server.side, self.command, self.path, file, for_content=for_content, **headers)
        if self.repository is None:
            self.server.hub.strays.append(self.asked)
            return False
        self.fault = fault = self.repository.take_fault(self.asked)
        if fault.redirect:
            self.send(302, b"", {"Location": fault.redirect.format(path=self.path), **fault.headers})
        elif fault.status:
            code = {"X-Error-Message": fault.message}
            self.send(fault.status, fault.message.encode(), {**code, **fault.headers})
        return bool(fault.redirect or fault.status)

    def send(self, status, body, headers):
        self.send_response(status)
        if self.asked:
            self.asked.status = status
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.fault.at_byte:
            self.fault.at_byte[1]()
        if self.fault.stall_after is not None:
            self.server.hub.ends.wait()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, value, status=200, headers=None):
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})

    def send_file(self, file, headers, ranges=True):
        """A file or the range of it that is asked for, with what the fault has of it."""
        with file.source.open("rb") as source:
            content = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) if file.size else b""
        if self.fault.content:
            content = self.fault.content(bytes(content))
        status, begin, end = 200, 0, len(content)
        if self.asked.range and ranges and not self.fault.ignores_range:
            first, _, last = self.asked.range.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last) + 1 if last else end, end)
            if begin >= end:
                return self.send(416, b"", {"Content-Range": f"bytes */{len(content)}", **headers})
            status, headers = 206, {**headers, "Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}
        if ranges:
            headers = {**headers, "Accept-Ranges": "bytes"}
        self.send_response(status)
        self.asked.status = status
        for name, value in {"Content-Length": str(end - begin), **headers, **self.fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(memoryview(content)[begin:end])

    def send_body(self, body):
        fault = self.fault
        hook_at, hook = fault.at_byte or (None, None)
        stops = sorted({len(body), *(n for n in (fault.cut_after, fault.stall_after, hook_at) if n is not None and n < len(body))})
        for stop in stops:
            while self.asked.sent < stop:
                self.asked.sent += self.wfile.write(body[self.asked.sent : min(stop, self.asked.sent + PIECE)])
            if stop == hook_at:
                hook()
            if stop == fault.cut_after:
                self.close_connection = True
                return
            if stop == fault.stall_after and stop < len(body):
                self.server.hub.ends.wait()
                self.close_connection = True
                return

    def answer_content(self, parts):
        """The CDN: /ORG/NAME/SHA256."""
        name, sha256 = "/".join(parts[:2]), parts[-1]
        repository = self.server.hub.repositories.get(name)
        file = repository.find_content(sha256) if repository else None
        if self.take(name, file.path if file else ""):
            return None
        if file is None or self.headers.get("authorization") or "m_session_id" in self.headers.get("cookie", ""):
            return self.send(400, b"no such object, or a signed address together with a token", {})
        return self.send_file(file, {"ETag": f'"{file.sha256}"', "Content-Type": "application/octet-stream"})

    def content_url(self, file):
        return f"{self.server.hub.cdn}/{self.repository.name}/{file.sha256}?Signature=secret-of-the-cdn"

    # Hugging Face

    def refuse(self, status, code, message):
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self.send_json({"error": message}, status, headers)

    def refused(self, *, file):
        """Whether the repository is none of the asker's, which is then answered."""
        given = self.asked.authorization.removeprefix("Bearer ")
        if self.repository is None or (self.repository.token not in (None, given) and not self.repository.gated):
            if given:
                self.refuse(404, "RepoNotFound", "Repository not found")
            else:
                self.refuse(401, "RepoNotFound", "Invalid username or password.")
        elif self.repository.gated and file and given != self.repository.token:
            text = f"Access to model {self.repository.name} is restricted. You must have access to it and be authenticated."
            self.refuse(403 if given else 401, "GatedRepo", text)
        else:
            return False
        return True

    def answer_huggingface(self, parts, query):
        if parts[:3] == ["api", "resolve-cache", "models"]:
            name, revision, path = "/".join(parts[3:5]), parts[5], "/".join(parts[6:])
            action = "cached"
        elif parts[:2] == ["api", "models"]:
            name, action = "/".join(parts[2:4]), parts[4] if len(parts) > 4 else "revision"
            revision, path = parts[5] if len(parts) > 5 else "main", ""
        elif len(parts) > 4 and parts[2] == "resolve":
            name, action, revision, path = "/".join(parts[:2]), "resolve", parts[3], "/".join(parts[4:])
        else:
            return self.send(404, b"Sorry, we can't find the page you are looking for.", {})
        if self.take(name, path, action != "resolve") or self.refused(file=bool(path)):
            return None
        found = self.repository.find(revision)
        if found is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if action == "revision":
            return self.send_model_info(found, "blobs" in query)
        if action == "tree":
            return self.send_tree(found, revision, query)
        if path not in found.files:
            self.asked.status = 404
            headers = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found", "X-Repo-Commit": found.commit}
            return self.send(404, b"Entry not found", headers)
        return self.send_resolved(found, found.files[path], cached=action == "cached")

    def send_resolved(self, found, file, *, cached):
        headers = {"X-Repo-Commit": found.commit}
        if cached:
            return self.send_file(file, {**headers, "ETag": f'"{file.etag}"'})
        headers |= {"X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.etag}"', "ETag": f'"{file.etag}"'}
        if file.in_lfs:
            return self.send(302, b"Found. Redirecting", {**headers, "Location": self.content_url(file), "Accept-Ranges": "bytes"})
        place = f"/api/resolve-cache/models/{self.repository.name}/{found.commit}/{urllib.parse.quote(file.path)}"
        return self.send(307, b"Temporary Redirect", {**headers, "Location": place})

    def send_model_info(self, found, blobs):
        def entry(file):
            facts = {"rfilename": file.path}
            if blobs:
                facts |= {"size": file.size, "blobId": file.git_hash}
                if file.in_lfs:
                    facts["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
            return facts

        name = self.repository.name
        files = [entry(file) for file in found.files.values()]
        facts = {"_id": "0", "id": name, "modelId": name, "author": name.split("/")[0], "sha": found.commit, "tags": []}
        facts |= {"private": self.repository.token is not None, "gated": "auto" if self.repository.gated else False}
        self.send_json({**facts, "disabled": False, "downloads": 0, "likes": 0, "siblings": files})

    def send_tree(self, found, revision, query):
        entries = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in found.folders]
        for file in found.files.values():
            entries.append({"type": "file", "oid": file.git_hash, "size": file.size, "path": file.path})
            if file.in_lfs:
                entries[-1]["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 134}
        if self.fault.listing:
            entries = self.fault.listing(entries)
        begin, size = int(query.get("cursor", 0)), self.repository.page_size
        headers = dict(self.fault.headers)
        if begin + size < len(entries):
            options = urllib.parse.urlencode({**query, "cursor": begin + size})
            origin = f"{self.server.hub.endpoint.split('://')[0]}://{self.asked.host}"
            address = f"{origin}/api/models/{self.repository.name}/tree/{urllib.parse.quote(revision, '')}"
            headers = {"Link": f'<{address}?{options}>; rel="next"', **headers}
        self.send_json(entries[begin : begin + size], headers=headers)

    # ModelScope

    def refuse_modelscope(self, status, code, message):
        self.send_json({"Code": code, "Data": None, "Message": message, "RequestId": "0", "Success": False}, status)

    def answer_modelscope(self, parts, query):
        if parts == ["repos", "internalAccelerationInfo"]:
            return self.send_json({"Code": 200, "Data": {"InternalRegionQueryAddress": ""}, "Success": True})
        if parts[:1] != ["models"] or "/".join(parts[3:]) not in ("", "repo", "repo/files"):
            return self.refuse_modelscope(404, 10010200001, "no such page")
        path, action = query.get("FilePath", ""), "/".join(parts[3:])
        name = "/".join(parts[1:3])
        if self.take(name, path, not any(fnmatch.fnmatch(path.rsplit("/", 1)[-1], pattern) for pattern in LARGE)):
            return None
        if self.repository is None:
            return self.refuse_modelscope(404, 10010205001, "record not found")
        token = self.repository.token
        if token and f"m_session_id={token}" not in self.asked.cookie and self.asked.authorization != f"Bearer {token}":
            return self.refuse_modelscope(403, 10010204005, "no permission to access this private repository")
        found = self.repository.find({"master": "main"}.get(query.get("Revision"), query.get("Revision", "main")))
        if found is None:
            return self.refuse_modelscope(404, 10010205001, f"revision {query['Revision']} does not exist")
        if action == "":
            return self.send_json({"Code": 200, "Data": {"Name": parts[2], "Path": parts[1]}, "Success": True})
        if action == "repo/files":
            return self.send_modelscope_files(found)
        if path not in found.files:
            return self.refuse_modelscope(404, 10010205001, f"file {path} does not exist")
        file = found.files[path]
        if file.in_lfs:
            return self.send(302, b"", {"Location": self.content_url(file), "X-Linked-ETag": f'"{file.sha256}"'})
        return self.send_file(file, {"ETag": f'"{file.git_hash}"'}, ranges=False)

    def send_modelscope_files(self, found):
        def entry(path, kind, size, sha256, in_lfs):
            facts = {"Path": path, "Name": path.rsplit("/", 1)[-1], "Type": kind, "Size": size, "Sha256": sha256}
            facts |= {"Revision": found.commit, "Mode": "33188", "IsLFS": in_lfs, "Id": "0", "InCheck": True}
            return {**facts, "CommittedDate": 1700000000, "CommitMessage": "Add files", "CommitterName": "someone"}

        entries = [entry(path, "tree", 0, "", False) for path in found.folders]
        entries += [entry(file.path, "blob", file.size, file.sha256, file.in_lfs) for file in found.files.values()]
        if self.fault.listing:
            entries = self.fault.listing(entries)
        data = {"Files": entries, "IsVisual": 0, "LatestCommitter": {"ShortId": found.commit[:8], "Id": found.commit}}
        self.send_json({"Code": 200, "Data": data, "Message": "success", "RequestId": "0", "Success": True})


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that goes away, or does not believe the certificate, is no error of the server's."""


class HubServer:
    """`certificate`: (certificate, key) files for https on both sides. The hub is at 127.0.0.1, the CDN at localhost."""

    def __init__(self, certificate=None):
        self.repositories, self.strays, self.tunnels = {}, [], []
        self.ends = threading.Event()
        scheme = "https" if certificate else "http"
        self.listeners = []
        for side, host in (("hub", "127.0.0.1"), ("cdn", "localhost")):
            listener = Listener(("127.0.0.1", 0), Handler)
            listener.hub, listener.side = self, side
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*certificate)
                listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            self.listeners.append(listener)
            setattr(self, "endpoint" if side == "hub" else "cdn", f"{scheme}://{host}:{listener.server_address[1]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.set()
        for listener in self.listeners:
            listener.shutdown()
            listener.server_close()

    def add(self, name, folder=None, **options):
        """Publishes a folder (as branch main), or `revisions={branch or tag: folder}`; see Repository."""
        revisions = options.pop("revisions", None) or {"main": folder}
        self.repositories[name] = Repository(name, revisions, **options)
        return self.repositories[name]
