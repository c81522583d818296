"""Several owners in one process: what is one's is unknown to the others."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.bootstrap import build_owners, owners_over
from assistant.finished import Slots
from assistant.keys import KeyBook, list_keys, new_key, revoke_key
from assistant.ledger import Ledger
from assistant.owners import LOCAL, Owners, folder_of
from assistant.schemas import Question
from assistant.service import Assistant
from assistant.settings import Settings, load_settings
from assistant.sign_in import UserBook, add_user, list_users, remove_user
from knowledge.errors import Conflict, InvalidInput, StoreDamaged, UnknownConversation, UnknownPersona, UnknownRun

# The store is the whole session's: names that no other test file uses.
ALICE, BOB = "alice-of-owners", "bob-of-owners"
QUESTION = "What is published about adherence to GLP-1 receptor agonists?"
NOTE = """# Zanthoxyl drops in our clinic

## Adherence to zanthoxyl drops | notes of our clinic

Of the people who were given zanthoxyl drops in our clinic, most went on with semaglutide and liked the taste of the drops.
"""


@pytest.fixture(scope="module")
def owners(assistant: Assistant) -> Iterator[Owners]:
    with owners_over(assistant) as made:
        yield made


def test_each_owner_has_a_folder_that_the_name_cannot_choose(tmp_path: Path) -> None:
    assert folder_of(tmp_path, LOCAL) == tmp_path
    folders = {folder_of(tmp_path, name) for name in ("alice", "bob", "Alice")}
    assert len(folders) == 3
    assert all(folder.parent == tmp_path / "owners" for folder in folders)
    for name in ("", "../bob", "a/b", "LOCAL", "x" * 65, "nul\0", "a b", "é"):
        with pytest.raises(InvalidInput):
            folder_of(tmp_path, name)


def test_runs_and_conversations_are_unknown_to_others(owners: Owners) -> None:
    asked = Question(text=QUESTION, conversation="secret")
    answer = owners.of(ALICE).ask(asked)
    assert owners.of(ALICE).show_run(answer.run_id) == answer
    assert [row.name for row in owners.of(ALICE).memory.recent()] == ["secret"]
    for other in (owners.of(BOB), owners.local):
        with pytest.raises(UnknownRun):
            other.show_run(answer.run_id)
        with pytest.raises(UnknownRun):
            other.replay(answer.run_id)
        with pytest.raises(UnknownConversation):
            other.memory.show("secret")
        with pytest.raises(UnknownConversation):
            other.memory.delete("secret")
        assert answer.run_id not in {run.run_id for run in other.runs(1000)}
    assert owners.of(BOB).verify_runs() == 0


def test_the_shipped_things_are_shared(owners: Owners) -> None:
    alice, bob = owners.of(ALICE), owners.of(BOB)
    assert alice is owners.of(ALICE)
    assert alice.knowledge is bob.knowledge
    assert alice.context().retriever() is bob.context().retriever()


def test_imported_files_are_used_at_once_and_by_their_owner_only(owners: Owners, tmp_path: Path) -> None:
    note = tmp_path / "clinic.md"
    note.write_text(NOTE, encoding="utf-8")
    before = owners.of("carol-of-owners")
    assert owners.import_evidence("carol-of-owners", [note], area="type_2_diabetes", dry_run=True).taken == 1
    assert owners.of("carol-of-owners") is before
    report = owners.import_evidence("carol-of-owners", [note], area="type_2_diabetes")
    assert (report.taken, report.passages) == (1, 1)

    def found(name: str) -> list[str]:
        result = owners.of(name).run_tool("search_literature", {"query": "adherence zanthoxyl drops semaglutide"})
        return [hit.passage.text for hit in result.passages]

    assert any("zanthoxyl" in text for text in found("carol-of-owners"))
    for name in ("dave-of-owners", LOCAL):
        assert not any("zanthoxyl" in text for text in found(name))
    stats, paths = owners.library("carol-of-owners")
    assert stats.passages == 1
    assert owners.library("dave-of-owners")[0].passages == 0
    assert owners.import_evidence("carol-of-owners", [note], area="type_2_diabetes").duplicates == 1
    assert owners.forget_evidence("dave-of-owners", [Path(paths[0])]) == 0
    assert owners.forget_evidence("carol-of-owners", [Path(paths[0])]) == 1
    assert not any("zanthoxyl" in text for text in found("carol-of-owners"))


def test_what_was_under_way_goes_on_in_the_same_ledger_after_an_import(owners: Owners, tmp_path: Path) -> None:
    note = tmp_path / "other.md"
    note.write_text(NOTE.replace("zanthoxyl", "quillaja"), encoding="utf-8")
    old = owners.of("erin-of-owners")
    owners.import_evidence("erin-of-owners", [note], area="type_2_diabetes")
    new = owners.of("erin-of-owners")
    assert new is not old
    assert new.memory is old.memory
    answer = old.ask(QUESTION)
    assert new.show_run(answer.run_id).run_id == answer.run_id


def test_own_archetypes_are_the_owners(owners: Owners, tmp_path: Path) -> None:
    file = tmp_path / "my_clinic.yaml"
    file.write_text(
        "id: my_clinic\nname: Adults of my own clinic\nparent: t2d_adults\narea: type_2_diabetes\n"
        "summary: Adults with type 2 diabetes who come to our clinic.\n",
        encoding="utf-8",
    )
    alice = owners.of(ALICE)
    alice.bank.import_file(file)
    assert alice.persona("my_clinic").parent == "t2d_adults"
    for other in (owners.of(BOB), owners.local):
        with pytest.raises(UnknownPersona):
            other.persona("my_clinic")
    child = tmp_path / "my_ward.yaml"
    child.write_text(
        "id: my_ward\nname: Adults of my own ward\nparent: my_clinic\narea: type_2_diabetes\nsummary: Adults of our ward.\n",
        encoding="utf-8",
    )
    alice.bank.import_file(child)
    with pytest.raises(Conflict, match="my_ward"):
        alice.bank.remove("my_clinic")
    alice.bank.remove("my_ward")
    alice.bank.remove("my_clinic")
    with pytest.raises(UnknownPersona):
        alice.persona("my_clinic")
    with pytest.raises(InvalidInput, match="shipped"):
        alice.bank.remove("t2d_adults")


def test_the_same_question_again_is_a_run_of_its_own_with_the_same_numbers(owners: Owners) -> None:
    frank = owners.of("frank-of-owners")
    question = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"
    first = frank.ask(question)
    kinds = [event.type for event in frank.stream(question)]
    again = frank.ask(question)
    assert kinds[0] == "plan"
    assert kinds[-1] == "answer"
    assert kinds.count("step_started") == kinds.count("step_finished") == len(first.steps)
    assert again.run_id != first.run_id
    assert again.model_copy(update={"run_id": ""}) == first.model_copy(update={"run_id": ""})
    record = frank.ledger.record(again.run_id)
    assert record["computed_by"] == first.run_id
    assert "computed_by" not in frank.ledger.record(first.run_id)
    report = frank.replay(again.run_id)
    assert report.identical, report.differences
    assert report.compared > 0
    assert frank.verify_runs() == 3
    other = frank.ask(Question(text=question, seed=2))
    assert "computed_by" not in frank.ledger.record(other.run_id)


def test_what_an_archetype_has_learned_is_not_answered_from_before(owners: Owners) -> None:
    grace = owners.of("grace-of-owners")
    first = grace.ask(QUESTION)
    grace.bank.library.refresh()
    assert "computed_by" not in grace.ledger.record(grace.ask(QUESTION).run_id)
    assert first.run_id


def test_askers_of_the_same_wait_for_the_first(owners: Owners) -> None:
    heidi, runs = owners.of("heidi-of-owners"), []
    threads = [threading.Thread(target=lambda: runs.append(heidi.ask(QUESTION).run_id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(runs)) == 8
    computed = [run_id for run_id in runs if "computed_by" not in heidi.ledger.record(run_id)]
    assert len(computed) == 1
    assert heidi.verify_runs() == 8


def test_no_more_are_kept_open_than_said_and_one_in_use_is_found_again(assistant: Assistant) -> None:
    from assistant.bootstrap import _House

    few = Owners(_House(assistant, None, mine=False), open_at_once=2)
    held = few.of("held")
    for name in ("one", "two", "three"):
        few.of(name)
    assert few.of("held") is held
    few.close()


def test_own_imports_of_this_machine_stay_there(assistant: Assistant, copy_of_store: object, tmp_path: Path) -> None:
    """The index on disk holds what the local owner imported; the others search the shipped passages without it."""
    folder = copy_of_store()  # type: ignore[operator]
    note = tmp_path / "clinic.md"
    note.write_text(NOTE, encoding="utf-8")
    with build_owners(load_settings(data_dir=folder)) as first:
        first.import_evidence(LOCAL, [note], area="type_2_diabetes")
    with build_owners(load_settings(data_dir=folder)) as owners:
        query = {"query": "adherence zanthoxyl drops semaglutide"}
        mine = owners.local.run_tool("search_literature", query)
        others = owners.of("bob").run_tool("search_literature", query)
        assert any("zanthoxyl" in hit.passage.text for hit in mine.passages)
        assert not any("zanthoxyl" in hit.passage.text for hit in others.passages)
        assert owners.of("bob").knowledge is not owners.local.knowledge


def _settings(folder: Path, **changes: object) -> Settings:
    return load_settings(data_dir=folder, **changes)


def test_keys_are_kept_as_hashes_and_known_again(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    book = KeyBook(settings)
    assert not book.configured
    first, second, other = new_key(settings, "alice"), new_key(settings, "alice"), new_key(settings, "bob")
    assert len({first, second, other}) == 3
    kept = (tmp_path / "api_keys.txt").read_text(encoding="utf-8")
    assert not any(key in kept for key in (first, second, other))
    assert (tmp_path / "api_keys.txt").stat().st_mode & 0o077 == 0
    assert [book.owner_of(key) for key in (first, second, other)] == ["alice", "alice", "bob"]
    assert book.owner_of("") is None
    assert book.owner_of(first + "x") is None
    assert book.owner_of("\ud800") is None
    assert list_keys(settings) == ["alice", "alice", "bob"]
    assert revoke_key(settings, "alice") == 2
    assert book.owner_of(first) is None
    assert book.owner_of(other) == "bob"
    with pytest.raises(InvalidInput):
        revoke_key(settings, "alice")
    with pytest.raises(InvalidInput):
        new_key(settings, "local")


def test_keys_may_stand_in_the_setting(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"ct_one").hexdigest()
    settings = _settings(tmp_path, api_keys=f"alice:{digest},bob:{hashlib.sha256(b'ct_two').hexdigest()}")
    book = KeyBook(settings)
    assert book.owner_of("ct_one") == "alice"
    assert book.owner_of("ct_two") == "bob"
    with pytest.raises(InvalidInput, match="setting"):
        new_key(settings, "carol")


@pytest.mark.parametrize("line", ["alice", "alice:", "local:" + "0" * 64, "alice:abc", "a b:" + "0" * 64])
def test_a_wrong_line_of_the_key_file_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "api_keys.txt").write_text(f"# ours\n{line}\n", encoding="utf-8")
    with pytest.raises(InvalidInput):
        _ = KeyBook(_settings(tmp_path)).configured


def test_users_sign_in_with_their_password(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    book = UserBook(settings)
    assert not book.configured
    add_user(settings, "alice", "correct horse battery")
    assert book.configured
    assert book.check("alice", "correct horse battery")
    assert not book.check("alice", "correct horse")
    assert not book.check("bob", "correct horse battery")
    assert not book.check("alice", "x" * 2000)
    assert "horse" not in (tmp_path / "chat_users.txt").read_text(encoding="utf-8")
    add_user(settings, "alice", "another password")
    assert not book.check("alice", "correct horse battery")
    assert list_users(settings) == ["alice"]
    for name, password in (("alice", "short"), ("local", "long enough to do"), ("a b", "long enough to do")):
        with pytest.raises(InvalidInput):
            add_user(settings, name, password)
    remove_user(settings, "alice")
    assert not book.check("alice", "another password")
    with pytest.raises(InvalidInput):
        remove_user(settings, "alice")


def test_a_budget_is_shared_and_the_model_too(owners: Owners) -> None:
    parts, other = owners.local._parts, owners.of("ivan-of-owners")._parts
    assert parts.backing.book is other.backing.book
    assert parts.slots is other.slots
    assert replace(parts).settings.data_dir != other.settings.data_dir


def test_runs_written_together_are_one_chain_and_a_wrong_one_harms_only_itself(tmp_path: Path) -> None:
    ledger, faults = Ledger(tmp_path / "ledger.sqlite"), []
    now = datetime.now(UTC)

    def append(number: int) -> None:
        try:
            ledger.append(f"r-{number % 40}", now, {"answer": {"number": number}})
        except StoreDamaged as error:  # the id is there already
            faults.append(error)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(44)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ledger.verify() == 40
    assert len(faults) == 4


def test_slots_go_to_whoever_waits_longest_and_not_to_who_has_left() -> None:
    slots, order = Slots(1), []
    with slots.one():
        threads = []
        for number in range(4):
            gone = (lambda: True) if number == 1 else (lambda: False)

            def work(number: int = number, gone: Callable[[], bool] = gone) -> None:
                with slots.one(gone):
                    order.append(number)

            threads.append(threading.Thread(target=work))
            threads[-1].start()
            time.sleep(0.05)
        threads[1].join(10)
        assert order == [1]  # without a slot: the run sees for itself that nobody waits
    for thread in threads:
        thread.join(10)
    assert order == [1, 0, 2, 3]
