"""``python -m MODULE ...`` without the seconds that importing torch takes.

``serve SOCKET`` imports the heavy libraries once and forks a process per call; ``call SOCKET -m
MODULE ...`` hands it its arguments, folder, environment and streams, and returns its exit code.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any


def serve(path: str) -> None:
    """Answer calls until the process is ended."""
    import lightning_fabric  # noqa: F401
    import sklearn.cluster  # noqa: F401

    import tomodrgn.plugins.commands.analyze.command
    import tomodrgn.plugins.commands.train.command  # noqa: F401
    from tests import shortcuts

    shortcuts.take()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            with connection:
                _answer(connection)


def call(path: str, words: list[str], streams: tuple[int, int, int] = (0, 1, 2)) -> int:
    """Exit code of the call ``python WORDS``.

    Args:
        path: socket of a server.
        words: from ``-m`` on.
        streams: numbers of the files that become input, output and messages of the call.
    """
    request = {"words": words, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b" "], list(streams))
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(16) or b"1")


def _answer(connection: socket.socket) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
    child = os.fork()
    if child == 0:
        os._exit(_run(request, streams))
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status) & 0xFF).encode())


def _run(request: dict[str, Any], streams: list[int]) -> int:
    """Become the process that was asked for; its exit code."""
    import runpy

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _, module, *arguments = request["words"]
    sys.argv = [module, *arguments]
    sys.path[:0] = ["", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001  a script may raise anything
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(call(sys.argv[2], sys.argv[3:]))
