"""Statements are laid out as `ruff format` lays them out, however long their names are."""

from __future__ import annotations

import random

import pytest
from emitted import ROOT, run

import specc
from specc.emit.layout import Line
from specc.emit.text import Unpacked, text
from specc.values.expression import Attribute, Binary, Call, Literal, Name, Series, Unary
from specc.values.parsing import parse_expression

BODY = 8
LENGTHS = [1, 5, 12, 25, 40]


class Draw:
    """Draws statements such as the emitter writes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.longest = self.random.choice(LENGTHS)

    def name(self) -> str:
        """A name of up to `longest` letters."""
        letters = self.random.choices("abcdefgh", k=self.random.randint(1, self.longest))
        return f"v{''.join(letters)}"

    def names(self, most: int) -> tuple[Name, ...]:
        """A few names, at least two."""
        return tuple(Name(self.name()) for _ in range(self.random.randint(2, most)))

    def formula(self, depth: int = 3):
        """A number, worked out of arguments."""
        if not depth or self.random.random() < 0.3:
            return self.random.choice([Name(self.name()), Literal(self.random.randint(1, 999))])
        operator = self.random.choice(["+", "-", "*", "/", "//", "%"])
        return Binary(operator, self.formula(depth - 1), self.formula(depth - 1))

    def layer(self):
        """A call of one of the module's layers."""
        layer = Attribute(Name("self"), self.name())
        return Call(layer, self.random.choice([self.names(4), (Name(self.name()),)]))

    def constructor(self):
        """A layer that is built, with positions and keywords."""
        logarithm = Call(Attribute(Name("math"), "log"), (self.formula(),))
        numbers = tuple(
            self.random.choice([Unary("-", logarithm), Name("x"), Literal(3)]) for _ in "12"
        )
        keywords = tuple(
            (self.name(), Literal(1), (0, 0)) for _ in range(self.random.randint(0, 3))
        )
        return Call(Name(self.name().title()), numbers, keywords)

    def line(self) -> Line:
        """A statement."""
        match self.random.randrange(5):
            case 0:
                return Line(BODY, f"{self.name()} = ", self.layer())
            case 1:
                targets = ", ".join(name.id for name in self.names(4))
                return Line(BODY, f"{targets} = ", self.layer())
            case 2:
                return Line(BODY, f"self.{self.name()} = ", self.constructor())
            case 3:
                return Line(BODY, f"{self.name()} = ", Series(self.names(6)))
            case _:
                return Line(
                    BODY, "return ", self.random.choice([Unpacked(self.names(6)), self.layer()])
                )


def as_formatted(path, statements):
    source = "class A:\n    def f(self):\n"
    source += "".join(f"{line}\n" for statement in statements for line in statement.lines())
    path.write_text(source, encoding="utf-8")
    done = run("ruff", "format", "--diff", "--config", ROOT / "generated/ruff.toml", path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("seed", range(10))
def test_statement(seed, tmp_path):
    draw = Draw(seed)
    as_formatted(tmp_path / "drawn.py", [draw.line() for _ in range(100)])


def test_statements_that_just_fit_and_just_do_not(tmp_path):
    long, names = Name("v" * 30), [Name("v" * length) for length in range(1, 61)]
    values = [Call(long, (long, name)) for name in names]
    values += [Series((long, long, name)) for name in names]
    values += [Binary("+", Binary("-", long, long), name) for name in names]
    as_formatted(tmp_path / "edge.py", [Line(BODY, "y = ", value) for value in values])


def test_a_remark_stands_behind_a_statement_that_leaves_room_for_it():
    remark, wide = "r" * 6, "x" * 90
    assert Line(0, wide, remark=remark).lines() == [f"{wide}  # {remark}"]
    assert Line(0, f"{wide}x", remark=remark).lines() == [f"# {remark}", f"{wide}x"]


WRITTEN = (
    "(a**b)**c a**b**c (-a)**b -a**b a**-b -(a+b) -(a*b) -a*b a-(b-c) a-b-c a*(b+c) a//(b//c)"
    " a%(b*c) (a,) (a,b) [a,b] [(a,)] a.b[0:1] f(a,*b,c=1) f('x',1.5,None)"
)


@pytest.mark.parametrize("written", WRITTEN.split())
def test_an_expression_is_written_as_it_was_read(written):
    assert text(parse_expression(written)).replace(" ", "").replace('"', "'") == written


def test_a_class_named_after_what_it_leaves_out(tmp_path):
    block, row = "Block" + "k" * 40, "shortcut_" + "t" * 33
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "specc: 1\nname: net\ninputs: {x: [N, 8, 32, 32]}\n"
        f"layers: [{block}(True), {block}(False)]\n"
        f"modules:\n  {block}:\n    params: {{wide: bool}}\n    layers:\n"
        f"      conv: Conv2d(_, 8, 1)\n      {row}: {{if: wide, op: 'Conv2d(_, 8, 1)'}}\n",
        encoding="utf-8",
    )
    path = tmp_path / "net.py"
    path.write_text(specc.compile(spec).source, encoding="utf-8")
    assert "\n    nn.Module\n):" in path.read_text()
    rules = ["--config", ROOT / "generated/ruff.toml", path]
    for command in (["format", "--diff"], ["check"]):
        done = run("ruff", *command, *rules)
        assert done.returncode == 0, done.stdout
