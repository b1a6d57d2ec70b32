"""Workers share the cores: each of them, and what it starts, computes with one thread.

Two workers with two threads each were measured three times slower on two cores.
"""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before the first import of torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")
