"""`use` of other files, variants, and stages."""

from __future__ import annotations

import inspect

import torch
from agreement import agree, compiled

import specc

BODY = """
    class: Body
    inputs: {images: [N, 3, 32, 32]}
    params: {width: 4, top: true}
    variants:
      wide: {width: 16}
    layers:
      stem: Unit(width)
      low: Unit(2 * width)
      high: Unit(4 * width)
      pool:
        if: top
        op: AdaptiveAvgPool2d(1)
    modules:
      Unit:
        params: {out: int}
        layers:
          - Conv2d(_, out, 3, stride=2, padding=1)
          - ReLU()
    """


def test_a_file_and_one_of_its_modules(spec):
    spec(BODY, "body")
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        use: {Backbone: body.yaml}
        layers:
          body: Backbone(variant='wide', top=False)
          low: Backbone.Unit(6)(body.low)
          high: Backbone.Unit(6)(body.high)
        outputs: [low, high]
        """)
    module = agree(path)
    assert module.high[0].in_channels == 64
    assert "class Body(nn.Module)" in compiled(path).source


def test_a_variant_is_a_choice_of_the_spec(spec):
    path = spec(BODY)
    model = compiled(f"{path}:wide")
    assert model.name == "tried_wide"
    assert model.shapes["stem.0"] == ("N", 16, 16, 16)
    assert "self.stem = Unit(3, 16)" in model.source
    agree(path)


def test_stages_are_methods(spec):
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        params: {classes: 5}
        layers:
          a: Conv2d(_, 4, 3, stride=2)
          b: Conv2d(_, 4, 3, stride=2)
          maps: [a, b]
          head: Head(classes)(maps)
        stages: {features: maps, heads: head}
        modules:
          Head:
            params: {classes: int}
            inputs: [maps]
            layers:
              scores:
                for: {m: maps}
                op: Conv2d(_, classes, 1)(m)
        """)
    module = agree(path)
    assert list(inspect.signature(module.heads).parameters) == ["maps"]
    assert "return self.heads(self.features(images))" in compiled(path).source


def test_a_stage_takes_what_it_reads(spec):
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        layers:
          a: Conv2d(_, 3, 1)
          b: Add()(a, images)
        stages: {features: a, heads: b}
        """)
    assert list(inspect.signature(agree(path).heads).parameters) == ["images", "a"]


def test_stages_that_hand_on_several_values(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          a: Conv2d(_, 4, 1)
          b: Conv2d(_, 4, 1)
          c: Add()(a, b)
          maps: {for: {m: "[a, b, c]"}, op: "Conv2d(_, 4, 1)(m)"}
          pair: {for: {m: maps}, op: Pair()(m)}
          cell: {repeat: 2, op: "Cell()(a, pair.q[0])"}
          last: Cat(dim=1)(cell, pair.p, maps[1])
        stages: {one: b, two: pair, three: cell, four: last}
        outputs: {last: last, a: a, maps: maps}
        modules:
          Pair:
            layers:
              p: Conv2d(_, 4, 1)
              q: Conv2d(_, 4, 1)
            outputs: [p, q]
          Cell:
            inputs: [s, t]
            layers:
              u: Conv2d(_, 4, 1)(s)
              v: Conv2d(_, 4, 1)(t)
            outputs: [u, v]
        """)
    module = agree(path)
    images = torch.rand(2, 4, 32, 32)
    torch.manual_seed(0)
    module = specc.load(path)
    a, b = module.one(images)
    maps, p, q = module.two(a, b)
    whole = module.four(a, maps, p, module.three(a, q))
    for part, together in zip(whole, module(images), strict=True):
        assert len(part) == len(together)
        assert all(map(torch.equal, part, together))


def test_a_stage_that_ends_with_a_shared_row_tapped_elsewhere(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          each: {for: {m: "[images, images]"}, shared: true, op: Sides()(m)}
          end: ReLU()(each[0].left)
        stages: {one: each, two: end}
        modules:
          Sides:
            layers:
              left: Conv2d(_, 4, 1)
              right: Conv2d(_, 4, 1)
        """)
    assert list(inspect.signature(agree(path).two).parameters) == ["each"]


def test_expectations_of_a_file_hold_for_its_own_sizes(spec):
    text = """
        params: {side: 32}
        inputs: {images: [N, 3, side, side]}
        layers:
          - Conv2d(_, 8, 3, stride=2) -> 15
        """
    compiled(spec(text, "body"))
    (found,) = specc.compile(spec(text.replace("32", "64"), "larger")).diagnostics
    assert found.code == "E0410"
    user = """
        inputs: {images: [N, 3, 64, 64]}
        use: {body: body.yaml}
        layers: {a: body(side=64)}
        """
    compiled(spec(user))


def test_files_that_use_one_another(tmp_path):
    head = "specc: 1\nname: {0}\ninputs: {{x: [N, 3, 8, 8]}}\nuse: {{{1}: {1}.yaml}}\nlayers: {{a: {1}()}}\n"
    (tmp_path / "one.yaml").write_text(head.format("one", "other"))
    (tmp_path / "other.yaml").write_text(head.format("other", "one"))
    (found,) = specc.compile(tmp_path / "one.yaml").diagnostics
    assert (found.code, found.labels[0].span.text) == ("E0308", "other")
    assert (found.labels[0].span.line, found.labels[0].span.column) == (5, 13)
    assert "take this call out" in (found.help or "")
    assert found.message.endswith("other.yaml -> one.yaml -> other.yaml")


def test_a_module_that_is_handed_over_is_the_one_that_was_named(tmp_path):
    """A name means what it means where it is written, also as an argument."""
    (tmp_path / "lib.yaml").write_text(
        "specc: 1\nname: lib\ninputs: {x: [N, 3, 16, 16]}\nlayers: {a: Wrap(Block)}\n"
        "modules:\n  Wrap: {params: {block: module}, layers: {b: block()}}\n"
        "  Block: {layers: {c: 'Conv2d(_, 99, 1)'}}\n"
    )
    (tmp_path / "main.yaml").write_text(
        "specc: 1\nname: main\ninputs: {images: [N, 3, 16, 16]}\nuse: {Lib: lib.yaml}\n"
        "layers: {b: Lib.Wrap(Block), both: '(b, b)', c: 'Cat(dim=1)(both)'}\n"
        "modules: {Block: {layers: {c: 'Conv2d(_, 8, 1)'}}}\n"
    )
    agree(tmp_path / "main.yaml")
    assert compiled(tmp_path / "main.yaml").shapes["b.b.c"] == ("N", 8, 16, 16)


def test_a_module_of_another_file_is_a_value(spec):
    """As an argument, in `let` and as a parameter's default, which the command line may give too."""
    spec(BODY, "body")
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        use: {Backbone: body.yaml}
        params: {First: Backbone.Unit, Body: Backbone}
        let: {Second: Backbone.Unit}
        layers:
          given: Twice(Backbone.Unit)
          first: First(6)
          second: Second(5)
          body: Body()(images)
        outputs: [second, body]
        modules:
          Twice:
            params: {Layer: module}
            layers:
              a: Layer(4)
              b: Layer(5)
        """)
    module = agree(path)
    assert module.given.b.get_submodule("0").in_channels == 4
    (found,) = specc.compile(path, First="Backbone.Unt").diagnostics
    assert (found.code, found.help) == ("E0205", "did you mean `Unit`?")
