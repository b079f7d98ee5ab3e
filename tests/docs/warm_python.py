"""``python ...`` without the seconds that importing torch takes.

``serve SOCKET`` imports the heavy libraries once and forks a process per call; ``call SOCKET
WORDS`` hands it the words after ``python``, folder, environment and streams, and returns its exit
code. Words are ``-m MODULE``, ``-`` for a script from the input, or the path of one.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess


_NOT_ALWAYS_THERE = ("__main__", "fused_kernels")


def serve(path: str) -> None:
    """Answer calls until the process is ended."""
    import gc
    import importlib
    import pkgutil

    import lightning_fabric  # noqa: F401
    import sklearn.cluster  # noqa: F401

    import tomodrgn
    from tests import shortcuts

    for module in pkgutil.walk_packages(tomodrgn.__path__, "tomodrgn."):
        if not module.name.endswith(_NOT_ALWAYS_THERE):
            importlib.import_module(module.name)
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


class Process:
    """A process that a server has forked for ``python WORDS``, with its number ``pid``.

    Args:
        path: socket of the server, which does nothing else until the process has ended.
        words: ``-m MODULE``, ``-`` or the path of a script, and what comes after.
        streams: numbers of the files that become input, output and messages of the process.
        environment: that of this process, where none is given.
    """

    def __init__(
        self,
        path: str,
        words: list[str],
        streams: tuple[int, int, int] = (0, 1, 2),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        variables = dict(os.environ if environment is None else environment)
        request = {"words": words, "folder": str(Path.cwd()), "environment": variables}
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(path)
        socket.send_fds(self._connection, [b" "], list(streams))
        self._connection.sendall(json.dumps(request).encode())
        self._connection.shutdown(socket.SHUT_WR)
        self.pid = int(self._connection.recv(16))

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet, and nobody waited for that."""
        is_waited_for = self._connection.fileno() >= 0
        return is_waited_for and not select.select([self._connection], [], [], 0)[0]

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        with self._connection:
            return int(self._connection.recv(16) or b"1")


def run(
    path: Path, words: Sequence[object], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call ``python WORDS`` and keep what it prints; arguments as in :class:`Process`."""
    import subprocess
    from tempfile import TemporaryFile

    call = list(map(str, words))
    with TemporaryFile() as nothing, TemporaryFile() as out, TemporaryFile() as messages:
        streams = nothing.fileno(), out.fileno(), messages.fileno()
        code = Process(str(path), call, streams, environment).wait()
        return subprocess.CompletedProcess(call, code, text_of(out), text_of(messages))


def text_of(file: IO[bytes]) -> str:
    """All that was written to a file."""
    file.seek(0)
    return file.read().decode()


def _answer(connection: socket.socket) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
    child = os.fork()
    if child == 0:
        os._exit(_run(request, streams))
    for stream in streams:
        os.close(stream)
    connection.sendall(f"{child:<16}".encode())
    _, status = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status) & 0xFF).encode())


def _run(request: dict[str, Any], streams: list[int]) -> int:
    """Become the process that was asked for; its exit code."""
    import atexit
    import importlib
    import traceback

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    # not the objects of the server, which remember whether they can be sought in
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:0] = ["", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    importlib.invalidate_caches()
    atexit._clear()  # of the server
    try:
        _execute(*request["words"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001  a script may raise anything
        traceback.print_exc()
        return 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _execute(what: str, *words: str) -> None:
    """Run a module, what is read from the input, or a file, as ``python`` does."""
    import runpy
    from types import ModuleType

    if what == "-m":
        sys.argv = list(words)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    elif what == "-":
        sys.argv = ["-", *words]
        script = ModuleType("__main__")
        sys.modules["__main__"] = script
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), vars(script))  # noqa: S102
    else:
        sys.argv = [what, *words]
        sys.path[0] = str(Path(what).parent)
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(Process(sys.argv[2], sys.argv[3:]).wait())
