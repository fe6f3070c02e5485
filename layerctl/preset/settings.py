"""A preset file as a flat map of dotted keys, each with the line it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from layerctl.errors import PresetError

LARGEST = 1_000_000
"""Bytes of a preset file; beyond, it is something else that was named by mistake."""

DEEPEST = 8
"""Levels of nesting; presets use three."""

LONGEST_SPELLING = 40


@dataclass(frozen=True)
class Setting:
    """A value that somebody asked for.

    `origin` says where ("studio.yaml:12", "--layers"), `spelling` how it is written there.
    """

    value: object
    origin: str
    spelling: str


def read_settings(path: Path, label: str) -> dict[str, Setting]:
    """Return what a preset file says: {"decompose.layers": Setting(4, "LABEL:12", "4"), ...}.

    Only plain YAML is read: no tags but YAML's own, no aliases, no key twice.

    Raises:
        PresetError: The file cannot be read or is not such YAML; file and line are named.
    """
    return _Reader(label, _text(path, label)).settings()


def _text(path: Path, label: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise PresetError(f"{label} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise PresetError(f"{label} is too large for a preset")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PresetError(f"{label} is no preset: it is not text in UTF-8") from error


@dataclass(frozen=True)
class _Reader:
    label: str
    text: str

    def settings(self) -> dict[str, Setting]:
        try:
            self._refuse_traps()
            loader = yaml.SafeLoader(self.text)
            root = loader.get_single_node()
            if root is None or root.tag == "tag:yaml.org,2002:null":
                return {}
            return dict(self._flat(loader, root))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._error(mark, f"not valid YAML: {error.problem}") from error
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position) + 1
            raise PresetError(f"{self.label}:{line}: a character that YAML forbids") from error

    def _refuse_traps(self) -> None:
        """Refuse what lets a short file stand for an endless one, and nesting that goes nowhere."""
        depth = 0
        for event in yaml.parse(self.text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise self._error(event.start_mark, "a preset has no aliases (*)")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise self._error(event.start_mark, "this is nested too deeply for a preset")

    def _flat(
        self, loader: yaml.SafeLoader, node: yaml.Node, prefix: str = ""
    ) -> Iterator[tuple[str, Setting]]:
        for name, value in self._pairs(node):
            if isinstance(value, yaml.MappingNode):
                yield from self._flat(loader, value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", self._setting(loader, value)

    def _pairs(self, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
            raise self._error(node.start_mark, "a preset is made of keys and values (KEY: VALUE)")
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value or "." in key.value:
                raise self._error(key.start_mark, "a key is one plain word")
            if key.value in lines:
                first = lines[key.value]
                raise self._error(key.start_mark, f"{key.value} is there already, in line {first}")
            lines[key.value] = key.start_mark.line + 1
            yield key.value, value

    def _setting(self, loader: yaml.SafeLoader, node: yaml.Node) -> Setting:
        try:
            value = loader.construct_object(node, deep=True)
        except (ValueError, OverflowError) as error:
            raise self._error(node.start_mark, str(error)) from error
        return Setting(value, self._place(node.start_mark), self._spelling(node))

    def _spelling(self, node: yaml.Node) -> str:
        written = " ".join(self.text[node.start_mark.index : node.end_mark.index].split())
        short = written[:LONGEST_SPELLING]
        return (short if short == written else f"{short}...") or "nothing"

    def _place(self, mark: object) -> str:
        # The marks of PyYAML's two parsers have no type in common.
        return f"{self.label}:{getattr(mark, 'line', 0) + 1}"

    def _error(self, mark: object, sentence: str) -> PresetError:
        return PresetError(f"{self._place(mark)}: {sentence}")
