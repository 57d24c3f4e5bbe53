"""Just enough of a TCPStore client, on the standard library: it must start in no time, on hosts without DNS."""

import socket
import struct

VALIDATE, SET, GET, PING, LIST_KEYS, MAGIC = 0, 1, 3, 13, 17, 0x3C85F7CE


def text(value):
    return struct.pack("<Q", len(value)) + value


class StoreClient:
    """A connection to the server at (address, port). Keys are written as torch's own clients write them: with a / before."""

    def __init__(self, address, port):
        self._socket = socket.create_connection((address, int(port)), 10)
        self._stream = self._socket.makefile("rb")
        self._socket.sendall(struct.pack("<BIBI", VALIDATE, MAGIC, PING, 1))
        assert self._stream.read(4) == struct.pack("<I", 1)

    def _number(self):
        return struct.unpack("<q", self._stream.read(8))[0]

    def _text(self):
        return self._stream.read(self._number())

    def set(self, key, value):
        self._socket.sendall(struct.pack("<B", SET) + text(f"/{key}".encode()) + text(value))
        # A set has no answer; the answer to what follows it shows that it has been done.
        self.get(key)

    def get(self, key):
        """Empty when the key is not there."""
        self._socket.sendall(struct.pack("<B", GET) + text(f"/{key}".encode()))
        return self._text()

    def keys(self):
        self._socket.sendall(struct.pack("<B", LIST_KEYS))
        return [self._text().decode().removeprefix("/") for _ in range(self._number())]
