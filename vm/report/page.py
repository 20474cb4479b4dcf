# SPDX-License-Identifier: GPL-2.0
"""A run as a page for people: one file, which needs no script and nothing from elsewhere.

What matters most comes first. Everything that is printed by others is escaped.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from .console import shortened
from .harm import Harm
from .picture import KINDS, bar, kind, picture, words
from .record import Entry, Record

STYLE = Path(__file__).with_name("page.css")
SLOWEST = 20
OPEN = 3                # new failures that are told in full without a click
# What a kernel or a test says that tells most.
TELLING = re.compile(r"^.*(?:kernel BUG at|BUG: |Oops: |WARNING: |Kernel panic|P\d+ broken: ).*$",
                     re.M)
# Of consoles and of what programs print a page has so many characters: new failures' first.
ROOM = 600_000
LONGEST = 20_000        # of one of them
FULL = 400              # so many failures are told in full


def write(run: Record, path: Path) -> None:
    path.write_text(Page(run).text(), encoding="utf-8", errors="replace")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _details(summary: str, body: str, attributes: str = "") -> str:
    return f"<details{attributes}><summary>{summary}</summary>\n{body}\n</details>"


def _section(anchor: str, title: str, body: str) -> str:
    return f'<section id="{anchor}"><h2>{title}</h2>\n{body}\n</section>' if body else ""


def _badge(entry: Entry) -> str:
    if entry.harm in ("", str(Harm.OTHER)):
        return ""
    return f'<em class="badge {entry.harm.split(" ")[0]}">{escape(entry.harm)}</em>'


def _harm(entry: Entry) -> int:
    """The worst first."""
    names = [str(harm) for harm in Harm]
    return names.index(entry.harm) if entry.harm in names else len(names)


def _bars(rows: Iterable[tuple[str, float]]) -> str:
    """Labels, which are HTML, and seconds."""
    rows = list(rows)
    longest = max((seconds for _, seconds in rows), default=0) or 1
    return '<div class="bars">' + "\n".join(
        f'<span>{label}</span><span><i style="width:{85 * seconds / longest:.1f}%"></i>'
        f"{seconds:,.1f} s</span>" for label, seconds in rows) + "</div>"


class Page:
    """The page of @run."""

    def __init__(self, run: Record):
        self.run, self._room = run, ROOM
        self._full = 0          # failures that have been told in full
        self._left_out = False
        self._anchors = {entry.title: f"t{n}" for n, entry in enumerate(run.tests)}

    def text(self) -> str:
        run = self.run
        sections = list(filter(None, (
            self._new(), self._crashes(), self._known(), self._still(), self._gone(),
            _section("picture", "All tests at a glance",
                     f'<p class="hint">A square is a test, and leads to what is known of it. '
                     f"Rows are fixtures.</p>{picture(run, self._anchors)}"),
            self._durations(), self._skipped(), self._facts(), self._all(),
            '<p class="hint">Not all that kernels and tests have printed has room here: --json has '
            "it.</p>" * self._left_out)))
        return "\n".join((
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(run.verdict)}</title>",
            f'<style>{STYLE.read_text(encoding="utf-8")}</style></head><body>',
            self._head("".join(sections)), "<main>", *sections, "</main></body></html>\n"))

    def _head(self, sections: str) -> str:
        run = self.run
        kernel, _, verdict = run.verdict.rpartition(": ")
        about = [run.started.replace("T", " "), run.origin,
                 run.accelerator and f"accelerator {run.accelerator}",
                 " ".join(filter(None, (run.host.get("system"), run.host.get("machine")))),
                 f"baseline {run.baseline}"]
        links = [("new", "New failures"), ("known", "Known bugs"), ("picture", "Picture"),
                 ("durations", "Durations"), ("skipped", "Skipped"), ("all", "All tests")]
        nav = "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title in links
                      if f'<section id="{anchor}">' in sections)
        bad = "bad" if run.news or any(p.news for p in run.problems) else "good"
        return (f'<header class="{bad}"><p class="name">dax_break</p><h1>{escape(verdict)}'
                f'<small>{escape(kernel)}</small></h1>{bar(run)}'
                f'<p class="about">{" · ".join(escape(word) for word in about if word)}</p>'
                f'<pre class="command">{escape(run.command)}</pre>'
                f"<nav>{nav}</nav></header>")

    def _is_full(self) -> bool:
        """Have enough failures been told in full?"""
        full = self._full >= FULL
        self._left_out |= full
        return full

    def _pre(self, what: str, lines: list[str]) -> str:
        """@lines, unless the page is full."""
        text = "\n".join(lines)[:LONGEST]
        if len(text) > self._room:
            self._left_out = True
        if not text or len(text) > self._room:
            return ""
        self._room -= len(text)
        told = TELLING.sub(r"<mark>\g<0></mark>", escape(text))
        return f"<h4>{what}</h4><pre>{told}</pre>"

    def _story(self, entry: Entry, bug: bool = True) -> str:
        """All that there is to say of a test."""
        self._full += 1
        said = [f'<div class="story" id="{self._anchors[entry.title]}">']
        if entry.diagnosis:
            said.append(f'<p class="diagnosis">{escape(entry.diagnosis)}</p>')
        if entry.bug and bug:
            said.append(f"<p>Known bug: {escape(entry.bug)}</p>")
        if entry.again:
            said.append(f'<pre class="command">{escape(entry.again)}</pre>')
        if entry.status == "failed":
            said.append(self._pre("The test", entry.lines))
            console = [*entry.before, "---- the test begins ----", *entry.console]
            if entry.console:
                said.append(self._pre(f"Console of {escape(entry.guest)}", console))
            elif entry.guest:
                said.append('<p class="hint">Meanwhile, the kernel of '
                            f"{escape(entry.guest)} printed nothing.</p>")
        return "\n".join([*said, "</div>"])

    def _link(self, entry: Entry) -> str:
        return f'<a href="#{self._anchors[entry.title]}">{escape(entry.title)}</a>'

    def _new(self) -> str:
        """In full, except that a program which ended early is told of once."""
        cards = []
        for _, group in itertools.groupby(
                sorted(self.run.news, key=lambda e: (_harm(e), e.reached)),
                lambda e: e.title if e.reached else (e.program, e.backend)):
            first, *others = group
            if self._is_full():
                cards += (f'<p class="line" id="{self._anchors[entry.title]}">'
                          f"{escape(entry.title)} {escape(entry.diagnosis)}</p>"
                          for entry in (first, *others))
                continue
            title = first.title if not others else f"{first.group}, {len(others) + 1} tests"
            body = self._story(first) + "".join(
                f'<div id="{self._anchors[other.title]}" class="also">{escape(other.title)}</div>'
                for other in others)
            opened = " open" if len(cards) < OPEN else ""
            cards.append(_details(f"{_badge(first)} <b>{escape(title)}</b>"
                                  f"<span>{escape(first.diagnosis)}</span>", body,
                                  f' class="card new"{opened}'))
        for problem in self.run.problems:
            cards.append(f'<p class="card {"new" if problem.news else "known"}">'
                         f"<b>{escape(problem.where)}</b> {escape(problem.what)}</p>")
        if not cards:
            return _section("new", "New failures", '<p class="none">There are none.</p>')
        return _section("new", f"New failures ({len(self.run.news)})", "\n".join(cards))

    def _crashes(self) -> str:
        return _section("crashes", "Guests that did not end well", "\n".join(
            _details(f"<b>{escape(crash.guest)}</b><span>{escape(crash.end)}"
                     f"{escape(crash.test and f', in {crash.test}')}</span>",
                     self._pre("The end of its console", crash.console), ' class="card new"')
            for crash in self.run.crashes))

    def _known(self) -> str:
        bugs: dict[str, list[Entry]] = {}
        for entry in self.run.with_status("failed"):
            if entry.bug and not entry.news:
                bugs.setdefault(entry.bug, []).append(entry)
        cards = []
        for what, entries in sorted(bugs.items(), key=lambda bug: min(map(_harm, bug[1]))):
            worst = min(entries, key=_harm)
            tests = "".join(f"<li>{self._link(entry)}</li>" for entry in entries)
            body = (f'<p class="diagnosis">{escape(worst.diagnosis)}</p>'
                    f'<pre class="command">{escape(worst.again)}</pre><ul class="tests">'
                    f"{tests}</ul>")
            cards.append(_details(f"{_badge(worst)} <b>{escape(what)}</b><span>found by "
                                  f"{_count(len(entries), 'test')}</span>", body,
                                  ' class="card known"'))
        title = f"Known bugs ({len(cards)})"
        none = "None among the old failures." if self.run.news else "None shows."
        return _section("known", title, "\n".join(cards) or f'<p class="none">{none}</p>')

    def _still(self) -> str:
        old = [entry for entry in self.run.with_status("failed")
               if not entry.news and not entry.bug]
        return _section("still", f"Failed before, too ({len(old)})", "\n".join(
            f'<p class="line">{self._link(entry)} {escape(entry.diagnosis)}</p>' for entry in old))

    def _gone(self) -> str:
        gone = [entry for entry in self.run.with_status("passed") if entry.bug]
        return _section("gone", "Passed though a bug is known: it may be gone", "\n".join(
            f'<p class="line">{self._link(entry)} {escape(entry.bug)}</p>' for entry in gone))

    def _durations(self) -> str:
        run = self.run
        programs: Counter[str] = Counter()
        for entry in run.tests:
            programs[entry.group] += entry.seconds
        slowest = sorted(run.tests, key=lambda entry: -entry.seconds)[:SLOWEST]
        return _section("durations", "Durations", "".join((
            "<h3>Phases</h3>",
            _bars((escape(name), seconds) for name, seconds in run.seconds.items()),
            "<h3>The slowest tests</h3>",
            _bars((self._link(entry), entry.seconds) for entry in slowest),
            _details("All programs", _bars((escape(name), seconds)
                                           for name, seconds in programs.most_common())))))

    def _skipped(self) -> str:
        whys: dict[str, list[Entry]] = {}
        for entry in self.run.with_status("skipped"):
            whys.setdefault(entry.diagnosis, []).append(entry)
        return _section("skipped", f"Skipped ({len(self.run.with_status('skipped'))})", "\n".join(
            _details(f"<b>{len(entries)}</b><span>{escape(why)}</span>", '<ul class="tests">'
                     + "".join(f"<li>{self._link(e)}</li>" for e in entries) + "</ul>",
                     ' class="card skipped"')
            for why, entries in sorted(whys.items(), key=lambda why: -len(why[1]))))

    def _facts(self) -> str:
        return _section("facts", "What tests have found out", "\n".join(
            f'<p class="line"><b>{escape(fact)}</b> {escape(", ".join(whose))}</p>'
            for fact, whose in self.run.facts.items()))

    def _all(self) -> str:
        groups: dict[str, list[Entry]] = {}
        for entry in self.run.tests:
            groups.setdefault(entry.group, []).append(entry)
        return _section("all", f"All tests ({len(self.run.tests):,})", "\n".join(
            _details(f"<b>{escape(name)}</b><span>{self._counts(entries)}</span>",
                     "\n".join(self._rows(entries)), ' class="group"')
            for name, entries in groups.items()))

    @staticmethod
    def _counts(entries: list[Entry]) -> str:
        counts = Counter(map(kind, entries))
        return ", ".join(f"{counts[name]} {words(counts[name], name)}" for name in KINDS
                         if counts[name])

    def _rows(self, entries: list[Entry]) -> Iterator[str]:
        """A new failure has been told in full; here is a link to it."""
        for entry in entries:
            what, name = kind(entry), escape(entry.name)
            said, seconds = escape(entry.diagnosis or entry.bug), f"{entry.seconds:.2f} s"
            if what == "new":
                yield f'<p class="test {what}">{self._link(entry)} {seconds}</p>'
            elif what == "known" and not self._is_full():
                yield _details(f'<i class="{what}"></i>{name} {seconds}', self._story(entry),
                               ' class="test"')
            else:       # as few elements as can be: there are thousands of these
                yield (f'<p class="test {what}" id="{self._anchors[entry.title]}">{name} {seconds}'
                       f"{said and f'<span>{said}</span>'}</p>")
