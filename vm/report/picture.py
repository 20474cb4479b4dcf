# SPDX-License-Identifier: GPL-2.0
"""All tests of a run as one picture: a square each, by fixture, filesystem and backend."""

from collections.abc import Mapping
from html import escape

from .record import NOT_RUN, Entry, Record

# Kinds of squares: their class in page.css, and what they mean.
KINDS = {"new": "new failures", "known": "old failures", "passed": "passed",
         "skipped": "skipped", "not-run": "not run"}


def words(number: int, name: str) -> str:
    """What so many of a kind are called."""
    return KINDS[name].removesuffix("s") if number == 1 else KINDS[name]


def kind(entry: Entry) -> str:
    if entry.status == "failed":
        return "new" if entry.news else "known"
    return "not-run" if entry.status == NOT_RUN else entry.status


def bar(run: Record) -> str:
    """The shares of all kinds, and their numbers."""
    counts = {name: sum(kind(entry) == name for entry in run.tests) for name in KINDS}
    shares = "".join(f'<i class="{name}" style="flex-grow:{number}"></i>'
                     for name, number in counts.items() if number)
    legend = "".join(f'<li><i class="{name}"></i><b>{number}</b> {words(number, name)}</li>'
                     for name, number in counts.items() if number or name in ("new", "passed"))
    return f'<div class="bar">{shares}</div><ul class="legend">{legend}</ul>'


def picture(run: Record, anchors: Mapping[str, str]) -> str:
    """Squares that lead to what is said of their tests. @anchors: by title."""
    places = list(dict.fromkeys(entry.place for entry in run.tests))
    cells: dict[str, dict[str, list[Entry]]] = {}
    for entry in run.tests:
        cells.setdefault(entry.fixture, {}).setdefault(entry.place, []).append(entry)
    head = "".join(f"<b>{escape(place)}</b>" for place in places)
    rows = [f'<div class="row head"><b></b>{head}</div>']
    for fixture, of in sorted(cells.items()):
        row = "".join(f'<div class="cell" data-place="{escape(place)}">'
                      + "".join(_square(entry, anchors) for entry in of.get(place, ()))
                      + "</div>" for place in places)
        rows.append(f'<div class="row"><b>{escape(fixture)}</b>{row}</div>')
    return (f'<div class="picture" style="--places:{len(places)}">' + "\n".join(rows) + "</div>")


def _square(entry: Entry, anchors: Mapping[str, str]) -> str:
    what = kind(entry)
    said = entry.name.partition(".")[2]
    if entry.diagnosis:
        said += f": {entry.diagnosis[:60]}"
    return f'<a class="{what}" href="#{anchors[entry.title]}" title="{escape(said)}"></a>'
