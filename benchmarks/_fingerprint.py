"""The hash that tells when a record is stale: of the code that decides its numbers, and no other.

From a benchmark we follow each name that it uses, definition by definition. So a new data set in
`helpers.data` leaves the records of the old ones fresh, and a changed constant that they use does
not. Comments, docstrings and layout do not count: they cannot change a result.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]

# What decides no number: writing records; where a file comes from, since its sha256 is checked;
# and `helpers` itself, which sets up notebooks.
LEFT_OUT = {"benchmarks.common", "helpers.assets", "helpers"}


def code_sha256(module: str, root: Path = ROOT) -> str:
    """Hash a benchmark, and what it uses of `helpers` and of other benchmarks.

    >>> code_sha256("benchmarks.article_cnn")[:8]
    '...'
    """
    reached = _Reached(root)
    reached.whole(module)
    text = "\n".join(sorted(reached.lines))
    return hashlib.sha256(text.encode()).hexdigest()


class _Module:
    """One file: its statements, and which of them binds which name."""

    def __init__(self, name: str, path: Path):
        self.name = name
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.statements = _without_docstrings(ast.parse(path.read_text(encoding="utf-8"))).body

    @cached_property
    def binding(self) -> dict[str, list[ast.stmt]]:
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.statements:
            for name in _bound(statement):
                found.setdefault(name, []).append(statement)
        return found

    def imports(self, statement: ast.stmt) -> Iterator[tuple[str, str, str]]:
        """(name here, module, name there or "") for each import in a statement."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.asname or alias.name.split(".")[0], alias.name, ""
            elif isinstance(node, ast.ImportFrom):
                parents = self.package.split(".")
                parents = parents[: len(parents) - node.level + 1] if node.level else []
                start = ".".join([*parents, *filter(None, [node.module])])
                for alias in node.names:
                    yield alias.asname or alias.name, start, alias.name


class _Reached:
    """Everything that has been followed so far, as lines to hash."""

    def __init__(self, root: Path):
        self.root = root
        self.modules: dict[str, _Module | None] = {}
        self.lines: set[str] = set()

    def whole(self, name: str) -> None:
        """Every statement of a module."""
        if module := self._module(name):
            for statement in module.statements:
                self._statement(module, statement)

    def _module(self, name: str) -> _Module | None:
        """A module of ours, or None; what it does when it is imported always counts."""
        if name not in self.modules:
            path = _file_of(name, self.root) if _is_ours(name) else None
            self.modules[name] = module = _Module(name, path) if path else None
            for statement in module.statements if module else []:
                if not list(_bound(statement)):
                    self._statement(module, statement)
        return self.modules[name]

    def _name(self, module: _Module, name: str, attribute: str | None) -> None:
        """Follow a name, or one attribute of it, from where a module uses it."""
        for statement in module.binding.get(name, []):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(module, statement, name, attribute)
            else:
                self._statement(module, statement)

    def _statement(self, module: _Module, statement: ast.stmt) -> None:
        line = f"{module.name}: {_shape(statement)}"
        if isinstance(statement, ast.Import | ast.ImportFrom) or line in self.lines:
            return
        self.lines.add(line)
        within = [n for n in ast.walk(statement) if isinstance(n, ast.Import | ast.ImportFrom)]
        local = {name for node in within for name, *_ in module.imports(node)}
        for name, attribute in _used(statement):
            for node in within if name in local else []:
                self._import(module, node, name, attribute)
            self._name(module, name, attribute)

    def _import(
        self, module: _Module, statement: ast.stmt, name: str, attribute: str | None
    ) -> None:
        for here, start, there in module.imports(statement):
            if here != name:
                continue
            self.lines.add(f"{module.name}: {here} is {start}.{there}")
            inner = f"{start}.{there}" if there else start
            if there and self._module(inner) is None:  # a name in a module
                if source := self._module(start):
                    self._name(source, there, attribute)
            elif attribute and (source := self._module(inner)):  # a module: one name of it
                self._name(source, attribute, None)
            else:
                self.whole(inner)


def _is_ours(name: str) -> bool:
    return name.split(".")[0] in {"helpers", "benchmarks"} and name not in LEFT_OUT


def _file_of(name: str, root: Path) -> Path | None:
    path = root.joinpath(*name.split("."))
    files = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement at the top of a module defines there."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.split(".")[0]


def _used(statement: ast.stmt) -> set[tuple[str, str | None]]:
    """(name, attribute) for each `name.attribute`, and (name, None) for each name by itself."""
    dotted = {
        node.value: node.attr
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {(node.id, dotted.get(node)) for node in names}


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] if isinstance(first.value.value, str) else node.body
    return tree


def _shape(node: object) -> str:
    """A syntax tree as text, the same in every version of Python: `ast.dump` is not."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if name != "kind")
        inner = ",".join(
            f"{name}={_shape(value)}" for name, value in fields if value not in (None, [])
        )
        return f"{type(node).__name__}({inner})"
    if isinstance(node, list):
        return f"[{','.join(map(_shape, node))}]"
    return repr(node)
