"""A place has one writer: others are refused in words, dead ones are succeeded."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from tomodrgn.core.errors import OutputError
from tomodrgn.core.ownership.lease import lock_of_folder, one_writer

ELSEWHERE = "filelock/2\npid=77\nhost=elsewhere\nmode=lease\ntoken=abc\nduration={:g}\nstart=5\n"
HOLD = """
import sys, time
from pathlib import Path
from tomodrgn.core.ownership.lease import lock_of_folder, one_writer
folder = Path(sys.argv[1])
with one_writer(lock_of_folder(folder), place=folder):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process(folder):
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_writer_is_told_who_the_first_is_also_through_another_path(tmp_path):
    folder, other = tmp_path / "run", tmp_path / "same"
    folder.mkdir()
    other.symlink_to(folder)
    with another_process(folder) as process:
        for path in (folder, other):
            with (
                pytest.raises(OutputError, match=f"{path}: process {process.pid} on .* is writing"),
                one_writer(lock_of_folder(path), place=path),
            ):
                pytest.fail("two writers")


def test_a_writer_that_was_killed_is_succeeded_at_once(tmp_path):
    with another_process(tmp_path) as process:
        process.kill()
        process.wait()
        began = time.monotonic()
        with one_writer(lock_of_folder(tmp_path), place=tmp_path) as lease:
            assert lease.is_held()
            assert time.monotonic() - began < 5
    assert not list(tmp_path.iterdir())


def test_a_writer_of_another_machine_is_succeeded_when_it_gave_no_sign_of_life(tmp_path):
    lock = lock_of_folder(tmp_path)
    lock.write_text(ELSEWHERE.format(0.5), encoding="ascii")
    began = time.monotonic()
    with one_writer(lock, place=tmp_path, lease_s=0.5):
        assert time.monotonic() - began >= 0.5


def test_a_writer_of_another_machine_that_lives_is_not_succeeded(tmp_path):
    lock = lock_of_folder(tmp_path)
    lock.write_text(ELSEWHERE.format(20.0).replace("=20\n", "=20.0\n"), encoding="ascii")
    beat = threading.Timer(0.3, os.utime, [lock])
    beat.start()
    with (
        pytest.raises(OutputError, match="process 77 on elsewhere is writing"),
        one_writer(lock, place=tmp_path, lease_s=20.0),
    ):
        pytest.fail("two writers")
    beat.join()


def test_a_lock_whose_maker_was_killed_before_it_wrote_its_name_is_succeeded(tmp_path, monkeypatch):
    monkeypatch.setattr("tomodrgn.core.ownership.lease._NAMELESS_S", 0.3)
    lock_of_folder(tmp_path).touch()
    began = time.monotonic()
    with one_writer(lock_of_folder(tmp_path), place=tmp_path, lease_s=20.0) as lease:
        assert lease.is_held()
        assert 0.3 <= time.monotonic() - began < 10


def test_the_lock_goes_with_its_owner(tmp_path):
    with one_writer(lock_of_folder(tmp_path), place=tmp_path) as lease:
        lease.require()
    assert not lease.is_held()
    assert not list(tmp_path.iterdir())


def test_a_writer_that_lost_its_lock_does_not_go_on(tmp_path):
    lock = lock_of_folder(tmp_path)
    with one_writer(lock, place=tmp_path) as lease:
        lock.write_text(ELSEWHERE.format(90.0), encoding="ascii")
        with pytest.raises(OutputError, match="another process writes here now"):
            lease.require()
        lock.unlink()


def test_a_lock_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "run"
    with (
        pytest.raises(OutputError, match=r"writer\.lock: cannot be written"),
        one_writer(lock_of_folder(folder), place=folder),
    ):
        pytest.fail("a lock in no folder")
