"""Recipes: what a step's command line is, what stands for what, and what is wrong told before anything runs."""

from pathlib import Path

import pytest

from pipelines.errors import InputError, UsageError
from pipelines.recipe import RECIPES, Recipe, read_recipe

COMMANDS = {
    "count": ["out", "by-label", "workers", "user-dict", "help"],
    "vocab": ["out", "size", "help"],
    "evaluate": ["model", "json", "help"],
    "kb build": ["out", "help"],
}
RECIPE = """
corpus = "a corpus"
out = "made"

[count]
arguments = ["${corpus}", "more"]
by-label = true
user-dict = ["a.txt", "${vocab.out}"]
workers = 3

[vocab]
arguments = "${count.out}"
out = "${out}/vocab.txt"
size = 100

[again]
command = "evaluate"
json = false
save = "${out}/scores.json"
"""


def read(folder: Path, *settings: str, text: str = RECIPE) -> Recipe:
    (folder / "recipe.toml").write_text(text, "utf-8")
    return read_recipe(str(folder / "recipe.toml"), settings, COMMANDS)


def test_steps_are_command_lines_in_order(tmp_path: Path) -> None:
    recipe = read(tmp_path)
    assert (recipe.name, recipe.directory) == ("recipe", Path("made"))
    count, vocab, again = recipe.steps
    assert (count.name, count.command, count.out, count.save) == ("count", "count", "made/count", "")
    assert " ".join(count.arguments) == (
        "count a corpus more --by-label --user-dict a.txt --user-dict made/vocab.txt --workers 3 --out made/count"
    )
    assert vocab.arguments == ("vocab", "made/count", "--out", "made/vocab.txt", "--size", "100")
    assert (again.name, again.command, again.arguments, again.out) == ("again", "evaluate", ("evaluate",), "")
    assert again.save == "made/scores.json"


def test_a_command_may_be_two_words(tmp_path: Path) -> None:
    (step,) = read(tmp_path, text='out = "o"\n[kb]\ncommand = "kb build"\narguments = "rows"\n').steps
    assert step.arguments == ("kb", "build", "rows", "--out", "o/kb")


def test_settings_stand_in_for_values(tmp_path: Path) -> None:
    recipe = read(tmp_path, "out=/else where", "vocab.size=7", "count.by-label=false", "count.user-dict=[]")
    count, vocab, _ = recipe.steps
    assert recipe.directory == Path("/else where")
    assert count.arguments == ("count", "a corpus", "more", "--workers", "3", "--out", "/else where/count")
    assert vocab.arguments[-1] == "7"
    assert read(tmp_path, 'corpus="[x"').steps[0].arguments[1] == "[x"
    assert read(tmp_path, "corpus=[x").steps[0].arguments[1] == "[x"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("count", "--set count: write step.key=value"),
        ("cuont.workers=3", "no step cuont: did you mean count?"),
        ("count.wrokers=3", r"recipe\.toml: \[count\]: count has no option wrokers: did you mean workers\?"),
        ("copus=x", "no value of the recipe is copus: did you mean corpus?"),
        ("vocab.command=vocba", r"\[vocab\]: no command vocba: did you mean vocab\?"),
        ("count.arguments=${nothing}", r"\[count\] arguments: nothing is called nothing: there are "),
        ("out=${vocab.out}", "out -> vocab.out: it refers to itself"),
    ],
)
def test_what_is_unknown_is_told_with_what_is_near(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?") if "\\" not in message else message):
        read(tmp_path, setting)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[count", "Expected"), ("[count]\n", "a recipe has a folder, out = "), ('out = "x"\n', "a table for each step")],
)
def test_what_is_no_recipe(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"recipe\.toml: .*{message}"):
        read(tmp_path, text=text)


def test_recipes_are_found_by_name_or_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: No such file"):
        read_recipe(str(tmp_path / "none.toml"), (), COMMANDS)
    with pytest.raises(UsageError, match="no recipe pretrian: did you mean pretrain"):
        read_recipe("pretrian", (), COMMANDS)
    assert (RECIPES / "pretrain.toml").is_file()
