"""A TCP relay on this machine whose connections a test can break."""

import contextlib
import socket
import threading


class Relay:
    """with Relay(port) as relay: what connects to relay.port is passed on to `port`. relay.accepted counts the connections."""

    def __init__(self, target):
        self.target = target
        self.accepted = 0
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()
        self.break_connections()

    def break_connections(self):
        """Ends all connections of now."""
        while self.sockets:
            _end(self.sockets.pop())

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # so that who comes next is refused as well
                self.listener.close()
                near.close()
                return
            self.sockets += [near, far]
            self.accepted += 1
            for ends in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=ends, daemon=True).start()


def _carry(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _end(source)
    _end(sink)


def _end(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
