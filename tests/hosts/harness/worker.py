"""The program that the agents start in these tests: it reports to the test (see stage.py) and does what the test says.

Run as: python3 -SE worker.py SOCKET. Needs nothing but the standard library, so that starting it costs next to nothing.
"""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from store_client import StoreClient

control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
stream = control.makefile("rw")


def say(what):
    stream.write(json.dumps(what) + "\n")
    stream.flush()


def store():
    return StoreClient(os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"])


say({"pid": os.getpid(), "environment": dict(os.environ)})
# The socket closes when the test is over; then there is nothing left to do either.
for line in stream:
    verb, _, rest = line.strip().partition(" ")
    if verb == "succeed":
        break
    if verb == "fail":
        code, _, message = rest.partition(" ")
        print(message, file=sys.stderr, flush=True)
        sys.exit(int(code))
    if verb == "set":
        kept = store()  # and stays connected, as a process group does
        kept.set(rest, b"x")
        say("done")
    if verb == "keys":
        say(store().keys())
