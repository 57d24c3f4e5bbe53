"""A client that asks a store for large values and hardly reads them. Run on a host: python3 -SE slow_store_reader.py ADDRESS PORT."""

import socket
import struct
import sys
import time

VALIDATE, SET, GET, MAGIC = 0, 1, 3, 0x3C85F7CE
VALUE_BYTES = 1 << 20
QUESTIONS = 200


def text(value):
    return struct.pack("<Q", len(value)) + value


def main(address, port):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect((address, int(port)))
    try:
        connection.sendall(struct.pack("<BI", VALIDATE, MAGIC) + struct.pack("<B", SET) + text(b"/chaos/large") + text(bytes(VALUE_BYTES)))
        connection.sendall((struct.pack("<B", GET) + text(b"/chaos/large")) * QUESTIONS)
    except OSError:
        pass  # it does not read from one that does not read either
    while connection.recv(1):
        time.sleep(0.2)


main(*sys.argv[1:])
