"""Steps run in order, and again only if something changed: their inputs, their options, or what they made."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipelines import recipe_run
from pipelines.errors import EngineError, InputError
from pipelines.recipe import Recipe, Step
from pipelines.recipe_run import STATE, STEPS, run_recipe, summary
from pipelines.storage.commit import lock
from pipelines.storage.manifest import MANIFEST, complete, file_of, read_json

pytestmark = pytest.mark.usefixtures("unsynced")


class Copies:
    """Steps that copy what they are given into their output, some of which fail."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.called = failing, list[str]()

    def __call__(self, step: Step) -> tuple[int, bytes]:
        self.called.append(step.name)
        if step.name in self.failing:
            return 3, b""
        content = b"".join(Path(name).read_bytes() for name in step.arguments[1:] if Path(name).is_file())
        if step.out:
            Path(step.out).write_bytes(content)
        return 0, content


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/a.txt").write_text("a")
    first = Step("first", "copy", ("copy", str(tmp_path / "corpus"), str(tmp_path / "corpus/a.txt")), f"{tmp_path}/1")
    second = Step("second", "copy", ("copy", f"train={tmp_path}/1", f"{tmp_path}/1"), f"{tmp_path}/2")
    third = Step("third", "copy", ("copy", f"{tmp_path}/2"), save=f"{tmp_path}/3")
    return Recipe("r", tmp_path / "out", (first, second, third))


def ran(recipe: Recipe, launch: Copies | None = None) -> list[str]:
    launch = launch or Copies()
    run_recipe(recipe, launch, tell=lambda text: None)
    return launch.called


def test_a_second_run_does_nothing(recipe: Recipe, tmp_path: Path) -> None:
    assert ran(recipe) == ["first", "second", "third"]
    assert (tmp_path / "3").read_bytes() == b"a"
    assert ran(recipe) == []
    told = run_recipe(recipe, Copies(), tell=lambda text: None)
    assert summary(recipe, told) == {
        "recipe": "r",
        "exit_code": 0,
        "steps": [
            {"name": name, "status": "skipped", "out": f"{tmp_path}/{place}", "seconds": 0.0, "exit_code": None}
            for place, name in enumerate(("first", "second", "third"), 1)
        ],
    }


def test_what_changed_is_done_again_and_what_follows_from_it(recipe: Recipe, tmp_path: Path) -> None:
    ran(recipe)
    (tmp_path / "corpus/a.txt").write_text("ab")
    assert ran(recipe) == ["first", "second", "third"]
    (tmp_path / "2").write_text("other")
    assert ran(recipe) == ["second", "third"]
    (tmp_path / "3").unlink()
    assert ran(recipe) == ["third"]
    changed = replace(recipe.steps[1], arguments=(*recipe.steps[1].arguments, "--more"))
    assert ran(replace(recipe, steps=(recipe.steps[0], changed, recipe.steps[2]))) == ["second", "third"]


def test_new_code_runs_anew(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(recipe)
    monkeypatch.setattr(recipe_run, "identity", lambda: "another")
    assert ran(recipe) == ["first", "second", "third"]


def finish(directory: Path, **more: object) -> None:
    """Commits an output of one part."""
    directory.mkdir(exist_ok=True)
    (directory / "part").write_text("content")
    complete(directory, {"parts": [asdict(file_of(directory, "part"))], **more}, dict)


def test_an_output_is_known_by_its_manifest(tmp_path: Path) -> None:
    finish(tmp_path / "counts")
    one = Recipe("r", tmp_path / "out", (Step("one", "copy", ("copy", str(tmp_path / "counts")), f"{tmp_path}/1"),))
    ran(one)
    (tmp_path / "counts/report.html").write_text("written again")
    assert ran(one) == []
    finish(tmp_path / "counts", totals=1)
    assert ran(one) == ["one"]


@pytest.mark.parametrize("damage", ["_SUCCESS", "part", "size", MANIFEST])
def test_an_output_that_is_not_whole_is_made_again(tmp_path: Path, damage: str) -> None:
    out, called = tmp_path / "1", list[str]()

    def launch(step: Step) -> tuple[int, bytes]:
        called.append(step.name)
        finish(out)
        return 0, b""

    one = Recipe("r", tmp_path / "out", (Step("one", "count", ("count",), str(out)),))
    for _ in range(2):
        run_recipe(one, launch, tell=lambda text: None)
    assert called == ["one"]
    if damage == "size":
        (out / "part").write_text("")
    else:
        (out / damage).unlink()
    for _ in range(2):
        run_recipe(one, launch, tell=lambda text: None)
    assert called == ["one", "one"]


def test_all_that_a_step_writes_is_looked_at(tmp_path: Path) -> None:
    arguments = ("vocab", "counts", "--idf", f"{tmp_path}/idf.txt", "--base", f"{tmp_path}/base.txt")
    written = [tmp_path / name for name in ("vocab.txt", "keep_tokens.json", "idf.txt", "said.txt")]
    step = Step("one", "vocab", arguments, str(written[0]), str(written[3]))
    one, called = Recipe("r", tmp_path / "out", (step,)), 0

    def launch(step: Step) -> tuple[int, bytes]:
        nonlocal called
        called += 1
        for path in written[:3]:
            path.write_text("")
        return 0, b""

    for number, path in enumerate(written, 1):
        run_recipe(one, launch, tell=lambda text: None)
        run_recipe(one, launch, tell=lambda text: None)
        assert called == number
        path.unlink()


def test_a_step_that_only_prints_is_run_each_time(tmp_path: Path) -> None:
    one = Recipe("r", tmp_path / "out", (Step("one", "copy", ("copy",)),))
    assert ran(one) == ran(one) == ["one"]


def test_files_that_a_pattern_names_are_looked_at(tmp_path: Path) -> None:
    one = Recipe("r", tmp_path / "out", (Step("one", "copy", ("copy", f"{tmp_path}/*.txt"), f"{tmp_path}/1"),))
    ran(one)
    assert ran(one) == []
    (tmp_path / "a.txt").write_text("a")
    assert ran(one) == ["one"]


def test_what_lies_elsewhere_is_for_the_step_to_look_at(tmp_path: Path) -> None:
    one = Recipe("r", tmp_path / "out", (Step("one", "copy", ("copy", "s3://bucket/corpus"), f"{tmp_path}/1"),))
    assert ran(one) == ran(one) == ["one"]


def test_a_step_that_fails_ends_the_run(recipe: Recipe) -> None:
    launch = Copies("second")
    told = run_recipe(recipe, launch, tell=lambda text: None)
    assert launch.called == ["first", "second"]
    assert [(step.status, step.exit_code) for step in told] == [("done", 0), ("failed", 3), ("not run", None)]
    assert summary(recipe, told)["exit_code"] == 3
    assert ran(recipe) == ["second", "third"]


@pytest.mark.parametrize(("error", "code"), [(EngineError("no scheduler"), 5), (KeyboardInterrupt(), 130)])
def test_what_a_step_raises_ends_the_run(recipe: Recipe, error: BaseException, code: int) -> None:
    told: list[str] = []

    def launch(step: Step) -> tuple[int, bytes]:
        if step.name == "second":
            raise error
        return Copies()(step)

    ended = run_recipe(recipe, launch, tell=told.append)
    assert [(step.status, step.exit_code) for step in ended] == [("done", 0), ("failed", code), ("not run", None)]
    assert summary(recipe, ended)["exit_code"] == code
    assert ("second: no scheduler" in told) == (code == 5)
    assert read_json(recipe.directory / STATE / STEPS).keys() == {"first"}
    assert ran(recipe) == ["second", "third"]


def test_two_runs_at_once(recipe: Recipe) -> None:
    (recipe.directory / STATE).mkdir(parents=True)
    with lock(recipe.directory / STATE), pytest.raises(InputError, match="is being written by another run"):
        ran(recipe)


def test_attempts_of_other_runs_below_stay(recipe: Recipe, tmp_path: Path) -> None:
    """A lock clears its own folder of what killed runs left; a step's output may be another run's."""
    (recipe.directory / "counts").mkdir(parents=True)
    left = recipe.directory / "counts/.part.here-1-2.attempt"
    left.touch()
    ran(recipe)
    assert left.exists()
