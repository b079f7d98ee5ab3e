"""A folder of results: what was made is known, what was not is left alone, nothing old is lost."""

import os
import time
from contextlib import contextmanager

import pytest

from tomodrgn.core.errors import OutputError
from tomodrgn.core.files.atomic import append_line, write_text_atomic
from tomodrgn.core.ownership import call as calls
from tomodrgn.core.ownership.call import calling, keep_edited, note_inputs, remove
from tomodrgn.core.ownership.lease import FOLDER_LOCK
from tomodrgn.core.ownership.leftovers import partial_beside, remove_leftovers
from tomodrgn.core.ownership.record import RECORD, read_record
from tomodrgn.core.ownership.results import REPLACED, begin_results
from tomodrgn.core.ownership.undamaged import note_run_opened, require_as_made
from tomodrgn.core.products import RUN_SPEC


class KilledError(BaseException):
    """Stands for kill -9: nothing is put right afterwards."""


@contextmanager
def train(folder, *, overwrite=False, command="train"):
    with calling(command, overwrite=overwrite):
        yield begin_results(folder)


def run_of(folder, words, *, names=("weights", "z")):
    with train(folder, overwrite=True) as results:
        results.set_aside()
        for name in names:
            write_text_atomic(folder / name, f"{name} of {words}")
        results.complete()


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {RECORD, FOLDER_LOCK}
    }


def test_files_of_others_stay_and_results_of_before_go_when_the_new_ones_are_complete(tmp_path):
    run_of(tmp_path, "one", names=("weights", "z", "basis"))
    (tmp_path / "z.mine").write_text("mine")
    with train(tmp_path, overwrite=True) as results:
        results.set_aside()
        write_text_atomic(tmp_path / "weights", "weights of two")
        assert content(tmp_path / REPLACED) == {
            "weights": "weights of one", "z": "z of one", "basis": "basis of one",
        }  # fmt: skip
        results.complete()
    assert content(tmp_path) == {"weights": "weights of two", "z.mine": "mine"}


def test_other_results_in_folders_below_stay_when_a_run_is_replaced(tmp_path):
    run_of(tmp_path, "one")
    run_of(tmp_path / "other_run", "other")
    (tmp_path / "replaced_by_hand").mkdir()
    run_of(tmp_path, "two")
    assert content(tmp_path / "other_run") == {"weights": "weights of other", "z": "z of other"}
    assert read_record(tmp_path / "other_run").is_complete
    assert (tmp_path / "replaced_by_hand").is_dir()


def test_what_was_made_from_a_run_that_was_replaced_since_is_told_when_it_is_read(tmp_path, caplog):
    nested = tmp_path / "analyze.1"

    def analyze():
        with train(nested, command="analyze"):
            note_run_opened(tmp_path)
            write_text_atomic(nested / "labels", "labels")

    (tmp_path / RUN_SPEC).touch()
    run_of(tmp_path, "one")
    analyze()
    require_as_made(nested / "labels")
    assert not caplog.text
    run_of(tmp_path, "two")
    require_as_made(nested / "labels")
    assert f"{nested}: was made from another run than the one in {tmp_path}" in caplog.text
    caplog.clear()
    analyze()
    require_as_made(nested / "labels")
    assert not caplog.text


def test_an_empty_folder_of_the_user_stays_whatever_its_name(tmp_path):
    (tmp_path / REPLACED / "drafts").mkdir(parents=True)
    with train(tmp_path):
        write_text_atomic(tmp_path / "weights", "weights of one")
    assert (tmp_path / REPLACED / "drafts").is_dir()


def test_folders_of_the_user_among_results_of_before_stay(tmp_path):
    run_of(tmp_path, "one", names=("maps/a", "z"))
    with train(tmp_path, overwrite=True) as results:
        results.set_aside()
        (tmp_path / REPLACED / "mine").mkdir()
        write_text_atomic(tmp_path / "z", "z of two")
        results.complete()
    assert [path.name for path in (tmp_path / REPLACED).iterdir()] == ["mine"]


def test_results_come_back_when_those_that_replace_them_fail(tmp_path):
    run_of(tmp_path, "one")
    before, record = content(tmp_path), (tmp_path / RECORD).read_bytes()
    with pytest.raises(KeyError), train(tmp_path, overwrite=True) as results:  # noqa: PT012
        results.set_aside()
        write_text_atomic(tmp_path / "weights", "weights of two")
        write_text_atomic(tmp_path / "new", "new of two")
        raise KeyError
    assert content(tmp_path) == before
    assert (tmp_path / RECORD).read_bytes() == record


@pytest.mark.parametrize("n_done", range(45))
def test_a_kill_at_any_step_leaves_one_of_both_after_the_next_start(tmp_path, monkeypatch, n_done):
    run_of(tmp_path, "one")
    nested = tmp_path / "analysis"
    with train(nested, command="analyze"):
        write_text_atomic(nested / "umap", "umap of one")
    (tmp_path / "mine").write_text("mine")
    before = content(tmp_path)
    left = [n_done]

    def dying(function):
        def step(*args, **kwargs):
            if not left[0]:
                raise KilledError
            left[0] -= 1
            return function(*args, **kwargs)

        return step

    was_killed = False
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 999_999_999)  # which nobody has
        for name in ("rename", "replace", "unlink", "mkdir", "rmdir"):
            patch.setattr(os, name, dying(getattr(os, name)))
        try:
            run_of(tmp_path, "two")
        except KilledError:
            was_killed = True
    calls._under_way.clear()
    with train(tmp_path):
        pass
    found = content(tmp_path)
    after = before | {"weights": "weights of two", "z": "z of two"}
    assert found in (before, after)
    assert was_killed or found == after
    assert not (tmp_path / REPLACED).exists()


def test_a_file_that_the_record_does_not_list_is_refused_even_with_overwrite(tmp_path):
    run_of(tmp_path, "one")
    (tmp_path / "other").write_text("mine")
    with (
        train(tmp_path, overwrite=True),
        pytest.raises(OutputError, match=f"other: is not tomodrgn's: {RECORD} does not list it"),
    ):
        write_text_atomic(tmp_path / "other", "lost")
    assert (tmp_path / "other").read_text() == "mine"


def test_a_result_that_was_changed_is_refused_and_not_removed(tmp_path):
    run_of(tmp_path, "one")
    (tmp_path / "z").write_text("edited")
    with train(tmp_path):
        remove(tmp_path / "z")
        remove(tmp_path / "weights")
        with pytest.raises(OutputError, match="z: was changed since train made it"):
            write_text_atomic(tmp_path / "z", "lost")
    assert content(tmp_path) == {"z": "edited"}


def test_settings_that_the_user_changed_are_kept_under_another_name(tmp_path):
    for words in ("one", "two", "three"):
        with train(tmp_path):
            keep_edited(tmp_path / "run.yaml")
            write_text_atomic(tmp_path / "run.yaml", words)
        if words != "three":
            (tmp_path / "run.yaml").write_text(f"{words}, edited")
    assert content(tmp_path) == {
        "run.yaml": "three", "run.edited.yaml": "one, edited", "run.edited.2.yaml": "two, edited",
    }  # fmt: skip


def test_a_result_of_another_command_is_not_replaced(tmp_path):
    run_of(tmp_path, "one")
    with (
        train(tmp_path, command="analyze", overwrite=True),
        pytest.raises(OutputError, match="z: is a result of train"),
    ):
        write_text_atomic(tmp_path / "z", "lost")


def test_a_command_replaces_its_own_results_without_being_told(tmp_path):
    for words in ("one", "two"):
        with train(tmp_path, command="analyze"):
            write_text_atomic(tmp_path / "umap", words)
    assert content(tmp_path) == {"umap": "two"}


def test_elsewhere_an_existing_file_needs_overwrite(tmp_path):
    path = tmp_path / "x.star"
    path.write_text("old")
    with (
        calling("filter_star"),
        pytest.raises(OutputError, match=r"x\.star: exists; .* with --overwrite"),
    ):
        write_text_atomic(path, "new")
    with calling("filter_star", overwrite=True):
        write_text_atomic(path, "new")
    assert path.read_text() == "new"


def test_an_input_is_never_an_output_by_whatever_name(tmp_path):
    path, link = tmp_path / "in.mrcs", tmp_path / "link.mrcs"
    path.write_text("pixels")
    link.symlink_to(path)
    (tmp_path / "hard.mrcs").hardlink_to(path)
    with calling("filter_star", overwrite=True):
        note_inputs([path])
        for out in (path, link, tmp_path / "hard.mrcs"):
            with pytest.raises(OutputError, match="is an input of filter_star"):
                write_text_atomic(out, "lost")
    assert path.read_text() == "pixels"


def test_logs_stay_where_they_are(tmp_path):
    for words in ("one", "two"):
        with train(tmp_path, overwrite=True) as results:
            append_line(tmp_path / "run.log", words)
            results.set_aside()
            write_text_atomic(tmp_path / "z", words)
            results.complete()
    assert content(tmp_path) == {"run.log": "one\ntwo\n", "z": "two"}


def test_the_record_of_a_stranger_reaches_no_file_outside_its_folder(tmp_path):
    folder = tmp_path / "run"
    run_of(folder, "one")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with (folder / RECORD).open("a") as file:
        for name in ("../victim", str(victim), "a/../../victim"):
            file.write(f'{{"file": "{name}", "by": "train"}}\n')
    assert set(read_record(folder).files) == {"weights", "z"}
    run_of(folder, "two")
    assert victim.read_text() == "mine"


def test_a_torn_line_does_not_hide_what_follows(tmp_path):
    run_of(tmp_path, "one")
    with (tmp_path / RECORD).open("a") as file:
        file.write('{"file": "to')
    with train(tmp_path):
        write_text_atomic(tmp_path / "new", "x")
    assert set(read_record(tmp_path).files) == {"weights", "z", "new"}


def test_what_killed_writers_left_is_removed_and_what_living_ones_write_is_not(tmp_path):
    mine = partial_beside(tmp_path / "x")
    dead = mine.with_name(mine.name.replace(f"-{os.getpid()}.", "-999999999."))
    for path in (mine, dead, tmp_path / ".x.partial"):
        path.write_text("half")
    dead_folder = dead.with_name(f".y{dead.name}")
    dead_folder.mkdir()
    (dead_folder / "part").write_text("half")
    with train(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, ".x.partial"}


def test_what_a_living_process_writes_stays_when_the_clock_jumps(tmp_path, monkeypatch):
    mine = partial_beside(tmp_path / "x")
    mine.write_text("half")
    now = time.time()
    for jump_s in (-(10**9), 10**9):
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: now + jump_s)
        remove_leftovers(tmp_path)
        assert mine.read_text() == "half"


def test_the_lock_is_there_only_while_somebody_writes(tmp_path):
    with train(tmp_path):
        assert (tmp_path / FOLDER_LOCK).exists()
    assert not (tmp_path / FOLDER_LOCK).exists()
