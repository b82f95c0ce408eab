"""The pages of docs/ and the README: commands and options exist, files that they name exist."""

import importlib.util
import re
import shlex

import pytest
import typer

from regulome import cli, paths

ROOT = paths.root()
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
FILE = re.compile(r"(?<![\w/.<-])((?:data|params|src|docs|notebooks)/[\w./-]*\.\w+)")


def commands(page):
    """Lines of code that call the command line, without comments: indented, or fenced as bash or as nothing."""
    fence = None
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fence = None if fence is not None else line[3:]
        elif fence in ("", "bash") or (fence is None and line.startswith("    ")):
            words = line.split(" #")[0].strip()
            if words.startswith(("regulome ", "python -m regulome")):
                yield words


def check_command(words, command):
    """Follow sub-commands and look up every option."""
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"no command {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert word.split("=")[0] in known, f"{command.name}: no option {word}"


def test_commands_are_found_in_every_page_of_a_part():
    for page in ("binding", "perturbation", "design-a-circuit", "stochastic", "your-own-network"):
        assert len(list(commands(f"docs/{page}.md"))) >= 2, page


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_exist_with_their_options(page):
    app = typer.main.get_command(cli.app)
    for line in commands(page):
        words = shlex.split(line)
        if words[0] == "regulome":
            check_command(words[1:], app)
            continue
        module = words[2]
        assert importlib.util.find_spec(module), line
        if module == "regulome.perturbation":
            check_command(["perturbation", *words[3:]], app)
        elif module == "regulome.binding":
            check_command(["bind", *words[3:]], app)


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in FILE.findall(text):
        assert (ROOT / name).exists(), name
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target
