"""Writes the seeds of corpus/: small inputs from the real programs (torch, accelerate, tokenizers, pyarrow, soundfile …).

    build/venv/bin/python tests/fuzz/seeds/make_seeds.py [TARGET…]

Files named seed-* are this script's; the others are inputs that fuzzing found, and stay.
"""

import sys

import launcher_seeds
import worker_seeds

for maker in [*launcher_seeds.MAKERS, *worker_seeds.MAKERS]:
    if len(sys.argv) == 1 or maker.__name__ in sys.argv[1:]:
        maker()
        print(maker.__name__, "done")
