"""What a client of a TCP server sends."""

import multiprocessing
import socket
import tempfile
import threading
from pathlib import Path


class Recorder:
    """A proxy to a TCP port that remembers what came from the client. A process, as torch's queue_pop() keeps Python's lock."""

    def __init__(self, port):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._file = tempfile.NamedTemporaryFile()
        self._process = multiprocessing.get_context("fork").Process(target=self._serve, args=[port], daemon=True)
        self._process.start()

    @property
    def bytes(self):
        return Path(self._file.name).read_bytes()

    def _serve(self, port):
        client, _ = self._server.accept()
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self._copy, args=[server, client, None], daemon=True).start()
        with open(self._file.name, "ab", buffering=0) as file:
            self._copy(client, server, file)

    @staticmethod
    def _copy(source, target, file):
        while data := source.recv(65536):
            if file:
                file.write(data)
            target.sendall(data)
