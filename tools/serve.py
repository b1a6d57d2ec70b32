"""Serve a folder on this machine and print the address.

usage: python -m tools.serve FOLDER [--port 8000] [--page book/03_convolution.html]
"""

import argparse
import contextlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


def server(folder: str, port: int) -> ThreadingHTTPServer:
    """A server on `port`, or on the next free one of the following ten."""
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    for candidate in range(port, port + 10):
        with contextlib.suppress(OSError):
            return ThreadingHTTPServer(("127.0.0.1", candidate), handler)
    raise SystemExit(f"Ports {port} to {port + 9} are all in use: choose one with PORT=....")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--page", default="")
    arguments = parser.parse_args()
    with server(arguments.folder, arguments.port) as running:
        print(
            f"Open http://localhost:{running.server_port}/{arguments.page}  (Ctrl-C stops)",
            flush=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            running.serve_forever()


if __name__ == "__main__":
    main()
