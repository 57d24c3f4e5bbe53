"""A small hub on loopback that speaks the HTTP APIs of Hugging Face and of ModelScope, for tests without the internet.

Facts of both are those that huggingface_hub 2.4.0 and modelscope 1.40.2 rely on; test_worker_hub_server.py proves it with
these packages. Large files come from a second host and port (the CDN), as with the real ones.
"""

import ssl
import sys
import threading
import urllib.parse
from http.server import ThreadingHTTPServer

from hub_repository import Fault, Repository
from huggingface_api import HuggingFaceHandler
from modelscope_api import ModelscopeHandler


class Handler(HuggingFaceHandler, ModelscopeHandler):
    """Both APIs, and the CDN."""

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


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that goes away, or does not believe the certificate, is no error; else a test fails in the end."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.hub.errors.append(error)


class HubServer:
    """`certificate`: (certificate, key) files for https on both sides. The hub is at 127.0.0.1, the CDN at localhost."""

    def __init__(self, certificate=None):
        self.repositories, self.strays, self.tunnels, self.errors = {}, [], [], []
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
        assert not self.errors, self.errors

    def add(self, name, folder=None, **options):
        """Publishes a folder (as branch main), or `revisions={branch or tag: folder}`; see Repository."""
        revisions = options.pop("revisions", None) or {"main": folder}
        self.repositories[name] = Repository(name, revisions, **options)
        return self.repositories[name]
