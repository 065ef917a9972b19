"""The graph: rows as nodes of a networkx graph, and the modules that hold them.

Two views of one thing. `Graph.network` is flat: a node a row, an edge where a tensor flows.
`Instance` and `Row` keep the hierarchy, which becomes classes in the emitted code, clusters in
the drawing and prefixes in the state dict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import networkx as nx

    from specc.documents import Diagnostic, Span
    from specc.ir.spec import ModuleSpec, Phrase, RowSpec, Spec
    from specc.ir.tensors import Tensor
    from specc.ops import Initializer, Op
    from specc.values.dimensions import Shape

__all__ = ["Apply", "Expectation", "Filling", "Graph", "Instance", "Node", "Refusal", "Row"]


@dataclass(frozen=True, slots=True)
class Node:
    """A row of an op, as applied once.

    Attributes:
        path: where it is, `vgg.22`; a second use of a shared row ends in `@1`.
        op: what it computes; `None` for an input of the model or a row that failed.
        kind: the op's name as written.
        name: the value's name in the spec, if it has one.
        inputs: the paths that feed it.
        shape: what comes out; `None` where that is not known.
        owner: the path whose parameters it uses.
        span: the row in its file.
    """

    path: str
    op: Op | None
    kind: str
    name: str | None
    inputs: tuple[str, ...]
    shape: Shape | None
    owner: str
    span: Span


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the spec says must come out of a row, beside what does."""

    path: str
    node: str
    expected: Shape
    actual: Shape
    phrase: Phrase


@dataclass(frozen=True, slots=True)
class Refusal:
    """What does not fit between a row's op and what arrives; judged once the graph is whole.

    `written` is the dimension that an argument such as `in_channels` speaks of, and its number
    there; `None` where the op's shape rule refused.
    """

    path: str
    finding: Diagnostic
    written: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Filling:
    """How a tensor is filled, and where a module says so."""

    made: Initializer
    phrase: Phrase


@dataclass(slots=True, eq=False)
class Apply:
    """An op or module applied to values, in the scope where it was called.

    Attributes:
        arguments: the call's arguments, with formulas over the scope's names.
        inputs: the values it takes, in the scope where it stands.
        value: the value that comes of it.
        initial: how tensors of an op are filled, by name, where torch's own way is not wanted.
    """

    path: str
    target: Op | Instance | None
    arguments: dict[str, Any]
    inputs: tuple[Any, ...]
    value: Any
    initial: dict[str, Initializer] = field(default_factory=dict[str, "Initializer"])


@dataclass(slots=True, eq=False)
class Row:
    """A row of a module, expanded.

    `form` is `one`, `repeat` (in series), `each` (side by side), `value` (only names values), or
    `absent` (its condition is false, and its name means its input).
    """

    key: str
    name: str | None
    form: str
    spec: RowSpec
    applies: list[Apply] = field(default_factory=list["Apply"])
    value: Any = None
    shared: bool = False


@dataclass(slots=True, eq=False)
class Instance:
    """A module applied at one place.

    Attributes:
        params: the parameters' values, with formulas over the emitted class's arguments.
        inputs: the values that arrive, by the name they have inside.
        init: how the ops in it are filled, by kind and tensor, where nothing inside says otherwise.
        own_init: the kinds of ops for which it, or a module in it, has an `init` of its own.
        exports: the inner values that the outside uses, in order of use.
        pinned: parameters that decided the structure.
    """

    path: str
    spec: ModuleSpec
    params: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    rows: list[Row] = field(default_factory=list["Row"])
    env: dict[str, Any] = field(default_factory=dict[str, Any])
    init: dict[str, dict[str, Filling]] = field(default_factory=dict[str, dict[str, Filling]])
    own_init: set[str] = field(default_factory=set[str])
    outputs: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    exports: list[Any] = field(default_factory=list[Any])
    pinned: set[str] = field(default_factory=set[str])
    used: set[str] = field(default_factory=set[str])

    def path_of(self, name: str) -> str:
        """Return the path of what has a name or key in it."""
        return f"{self.path}.{name}" if self.path else name

    def children(self) -> Iterator[tuple[Row, Apply]]:
        """Yield the modules that this one holds, a shared one once."""
        for row in self.rows:
            for apply in row.applies[:1] if row.shared else row.applies:
                if isinstance(apply.target, Instance):
                    yield row, apply


@dataclass
class Graph:
    """A model: its rows as nodes, its root module, and what the spec expects of it."""

    spec: Spec
    root: Instance
    rows: dict[str, Node] = field(default_factory=dict[str, Node])
    readers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    expectations: list[Expectation] = field(default_factory=list["Expectation"])
    refusals: list[Refusal] = field(default_factory=list["Refusal"])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    is_resized: bool = False
    used_files: set[str] = field(default_factory=set[str])

    def add(self, node: Node) -> None:
        """Add a node behind the nodes that feed it."""
        self.rows[node.path] = node
        self.readers[node.path] = []
        for source in dict.fromkeys(node.inputs):
            self.readers[source].append(node.path)

    def __getitem__(self, path: str) -> Node:
        return self.rows[path]

    def __contains__(self, path: str) -> bool:
        return path in self.rows

    def nodes(self) -> Iterator[Node]:
        """Yield all nodes, each behind those that feed it."""
        yield from self.rows.values()

    @cached_property
    def network(self) -> nx.DiGraph[str]:
        """The rows as a `networkx` graph: each node has its `Node` under `row`."""
        import networkx as nx  # a fifth of a build's time, and most builds ask nothing of it

        network: nx.DiGraph[str] = nx.DiGraph()
        for path, node in self.rows.items():
            network.add_node(path, row=node)
            network.add_edges_from((source, path) for source in node.inputs)
        return network

    def ancestors(self, path: str) -> set[str]:
        """Return all nodes that a node depends on."""
        import networkx as nx

        return nx.ancestors(self.network, path)  # pyright: ignore[reportUnknownMemberType]

    def instances(self) -> Iterator[Instance]:
        """Yield all modules, each behind those that it holds; the root is the last."""
        waiting: list[tuple[Instance, bool]] = [(self.root, False)]
        while waiting:
            instance, is_done = waiting.pop()
            if is_done:
                yield instance
                continue
            waiting.append((instance, True))
            held = [apply.target for _, apply in instance.children()]
            waiting += [(child, False) for child in reversed(held) if isinstance(child, Instance)]

    def applies(self) -> Iterator[tuple[Row, Apply]]:
        """Yield all that rows of the model apply, each with its row."""
        for instance in self.instances():
            for row in instance.rows:
                yield from ((row, apply) for apply in row.applies)

    def outputs(self) -> dict[str, Tensor | list[Tensor]]:
        """Return the model's outputs by name."""
        return dict(self.root.outputs)
