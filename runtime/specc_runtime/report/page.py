"""The page: one self-contained HTML file made of sections."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

HUES = (215, 25, 150, 285, 50, 350, 185, 100, 320, 250)
"""Hues of a chart's lines, in their order."""


class Section(NamedTuple):
    """A part of the page; `body` is HTML."""

    title: str
    body: str


def page(title: str, sections: Sequence[Section]) -> str:
    """An HTML document without scripts or external requests."""
    links = "".join(f'<a href="#s{n}">{escape(s.title)}</a>' for n, s in enumerate(sections))
    parts = "".join(
        f'<section id="s{n}"><h2>{escape(s.title)}</h2>{s.body}</section>\n'
        for n, s in enumerate(sections)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_style()}</style></head>\n"
        f"<body><h1>{escape(title)}</h1><nav>{links}</nav>\n{parts}</body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str | int | float]]) -> str:
    """A table: text is escaped, whole numbers get commas, others three places, NaN a dash."""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>"


def figure(caption: str, body: str) -> str:
    """A chart or picture with a caption below it."""
    return f"<figure>{body}<figcaption>{escape(caption)}</figcaption></figure>"


def picture(caption: str, uri: str) -> str:
    """An image given as a data URI, with a caption below it."""
    text = escape(caption, quote=True)
    return f'<figure class="wide"><img src="{uri}" alt="{text}"><figcaption>{text}</figcaption></figure>'


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f'<td class="number">{"-" if math.isnan(value) else f"{value:.3f}"}</td>'


def _style() -> str:
    lines = "".join(
        f".line-{n}{{stroke:hsl({hue} 65% 48%)}}i.line-{n}{{background:hsl({hue} 65% 48%)}}"
        for n, hue in enumerate(HUES)
    )
    return _SHEET + lines


_SHEET = (
    ":root{color-scheme:light dark;--ink:#222;--soft:#667;--rule:#dde;--ground:#fff;--bar:#4a7ab5}"
    "@media(prefers-color-scheme:dark){"
    ":root{--ink:#e6e6ea;--soft:#9aa;--rule:#334;--ground:#15171c;--bar:#6d9bd1}}"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);"
    "max-width:1120px;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .5rem}"
    "nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;border-bottom:1px solid var(--rule);padding:.6rem 0}"
    "a{color:var(--bar)}.charts{display:grid;gap:1rem 2rem;align-items:start;"
    "grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr))}"
    "figure{margin:0;max-width:100%}figure.wide{margin:1rem 0}"
    "figcaption,.note{color:var(--soft);font-size:.87rem;max-width:46rem}"
    "figcaption{max-width:32rem}svg,img{max-width:100%;height:auto}"
    "table{border-collapse:collapse;margin:.8rem 0;font-size:.92rem}"
    "th,td{padding:.15rem .9rem .15rem 0;text-align:left;border-bottom:1px solid var(--rule)}"
    "th:not(:first-child){text-align:right}td.number{text-align:right;font-variant-numeric:tabular-nums}"
    "svg text{font:11px system-ui,sans-serif;fill:var(--soft)}"
    "svg text.dark{fill:#fff}"
    ".grid{stroke:var(--rule)}polyline{fill:none;stroke-width:1.6}circle{fill:var(--ground)}"
    ".bar,.cell{fill:var(--bar)}.cell{stroke:var(--rule)}"
    ".legend{margin:0;font-size:.85rem;display:flex;flex-wrap:wrap;gap:0 1rem;max-width:520px}"
    ".legend i{display:inline-block;width:1em;height:3px;margin-right:.4em;vertical-align:middle}"
    "pre{overflow:auto;font-size:.85rem}"
)
