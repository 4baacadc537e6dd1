"""A report as a browser reads it."""

import html
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Page(HTMLParser):
    """What a browser makes of a page: elements, text that is seen, rows of tables, and the data of the charts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text("utf-8")
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self._cell = False
        self.feed(self.source)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs
        self._open = [tag] if tag in ("script", "style") else []
        self._cell = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        if self._cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = []
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.texts.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        [found] = [row for row in self.rows if row[0] == first]
        return found

    @property
    def models(self) -> list[dict[str, Any]]:
        """Every Bokeh model in the page, as JavaScript reads it."""
        found = re.search(r"const docs_json = '(.*)';", self.source)
        assert found
        [document] = json.loads(html.unescape(found[1].replace("\\\\", "\\"))).values()
        models: list[dict[str, Any]] = []
        remaining: list[Any] = [document]
        while remaining:
            value = remaining.pop()
            if isinstance(value, dict):
                models += [value] if value.get("type") == "object" else []
                remaining += value.values()
            elif isinstance(value, list):
                remaining += value
        return models

    def data(self, *columns: str) -> list[dict[str, Any]]:
        """The columns of each chart that has them."""
        sources = [model["attributes"]["data"] for model in self.models if model["name"] == "ColumnDataSource"]
        return [dict(source["entries"]) for source in sources if set(columns) <= set(dict(source["entries"]))]

    def bars(self, *names: str) -> dict[str, Any]:
        """The bar chart with these names."""
        [found] = [data for data in self.data("name") if set(names) <= set(data["name"])]
        return found
