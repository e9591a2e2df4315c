"""README as a package index shows it, the page of commands, and the pictures of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import graphscope
from tests.support.documents.generated import COMMANDS, GENERATED_PAGES, commands, page
from tests.support.documents.matching import difference
from tests.support.documents.pages import DOCS, PAGES, page_id
from tests.support.documents.recording import README, first_steps, recorded
from tests.support.zoo_files import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", GENERATED_PAGES, ids=page_id)
def test_generated_parts_are_up_to_date(path: Path) -> None:
    assert page(path) == path.read_text("utf-8"), "python -m tests.support.documents.generated writes them anew"


def test_each_command_has_one_section_in_the_order_of_help() -> None:
    sections = re.findall(r"^## `graphscope (\w+)`$", COMMANDS.read_text("utf-8"), re.MULTILINE)
    assert sections == list(commands())


@pytest.mark.parametrize("name", commands())
def test_a_command_has_an_example(name: str) -> None:
    sections = re.split(r"^## ", COMMANDS.read_text("utf-8"), flags=re.MULTILINE)
    section = next(section for section in sections if section.startswith(f"`graphscope {name}`\n"))
    assert f"\n$ graphscope {name} " in section


def test_readme_names_every_command() -> None:
    assert [name for name in commands() if f"| `graphscope {name} " not in README.read_text("utf-8")] == []


def test_readme_needs_no_address_of_the_repository() -> None:
    links = re.findall(r"\]\(([^)]*)\)", README.read_text("utf-8"))
    assert [link for link in links if not link.startswith("https://")] == []


def test_readme_has_the_figures_of_the_benchmarks() -> None:
    said = README.read_text("utf-8").partition("## Benchmarks")[2].partition("\n## ")[0]
    figures = re.findall(r"[\d.]+ (?:s|MB)\b", said)
    measured = (DOCS / "benchmarks.md").read_text("utf-8")
    assert figures
    assert [figure for figure in figures if figure not in measured] == []


def test_the_picture_shows_what_readme_shows() -> None:
    shown = [line for step in first_steps() for line in (f"$ {step.source}", *(step.shown or []))]
    assert difference(shown, recorded()) is None, "python -m tests.support.documents.recording draws it anew"


def test_nothing_in_the_documentation_is_loaded_from_the_network() -> None:
    for path in [*DOCS.rglob("*.svg"), ROOT / "mkdocs.yml"]:
        addresses = re.findall(r"https?://[^\s\"')]+", path.read_text("utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_files_that_a_page_names_exist(path: Path) -> None:
    """Modules are named from the root of the package or of the repository."""
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]+\.py)`", path.read_text("utf-8"))
    homes = [ROOT / "graphscope", ROOT]
    assert [name for name in named if not any((home / name).is_file() for home in homes)] == []


def test_the_architecture_names_every_package() -> None:
    packages = [path.parent.name for path in (ROOT / "graphscope").glob("*/__init__.py")]
    text = (DOCS / "architecture.md").read_text("utf-8")
    assert [name for name in packages if f"| `{name}/` |" not in text] == []


def test_the_reference_lists_every_public_name() -> None:
    listed = re.findall(r"^::: graphscope\.(\w+)$", (DOCS / "reference.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(set(graphscope.__all__) - {"__version__"})
