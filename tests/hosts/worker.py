"""The program that the agents start in these tests: it reports to the test (see stage.py) and does what the test says.

Run as: python3 -SE worker.py SOCKET. Needs nothing but the standard library, so that starting it costs next to nothing.
"""

import json
import os
import socket
import sys

control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
stream = control.makefile("rw")
stream.write(json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}) + "\n")
stream.flush()

# The socket closes when the test is over; then there is nothing left to do either.
verb, _, rest = stream.readline().strip().partition(" ")
if verb == "fail":
    code, _, message = rest.partition(" ")
    print(message, file=sys.stderr, flush=True)
    sys.exit(int(code))
sys.exit(0)
