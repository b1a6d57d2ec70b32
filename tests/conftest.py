"""What all tests share: one thread for each worker, and one profile of hypothesis.

Workers share the cores: each of them, and what it starts, computes with one thread. Two workers
with two threads each were measured three times slower on two cores.
"""

import os

from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # before the first import of torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadline: a busy machine is no error. A failure prints the line that repeats it.
settings.register_profile("book", deadline=None, print_blob=True)
settings.load_profile("book")
