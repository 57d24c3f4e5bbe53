"""Answers to requests for files: what the APIs of both hubs have in common, with the faults that a test orders."""

import json
import mmap
import select
import socket
from http.server import BaseHTTPRequestHandler

from hub_repository import Asked, Fault

PIECE = 1 << 16


class FileHandler(BaseHTTPRequestHandler):
    """`self.server.side` tells whether the hub or the CDN is asked, `self.server.hub` has the repositories."""

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
