"""`repeat` and `first`, `for` with one and two lists, `shared`, and turns that build on others."""

from __future__ import annotations

import pytest
from agreement import agree, compiled


def test_repeat_with_another_first(spec):
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        layers:
          body:
            repeat: 4
            op: Block(8)
            first: {stride: 2}
        modules:
          Block:
            params: {out: int, stride: 1}
            layers:
              conv: Conv2d(_, out, 3, stride=stride, padding=1)
              act: ReLU()
        """)
    agree(path)
    assert "Block(3, 8, stride=2), *(Block(8, 8) for _ in range(3))" in compiled(path).source


def test_repeat_of_an_op_with_and_without_a_layer(spec):
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        layers:
          convs:
            repeat: 3
            op: Conv2d(_, 3, 3)
          doubled:
            repeat: 2
            op: Cat(dim=1)(convs)
        """)
    agree(path)


def test_repeat_carries_several_values(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          a: Conv2d(_, 4, 1)
          b: Conv2d(_, 4, 1)
          cell:
            repeat: 3
            op: Cell()(a, b)
          joined: Cat(dim=1)(cell)
        modules:
          Cell:
            inputs: [p, q]
            layers:
              left: Conv2d(_, 4, 1)(p)
              added: Add()(left, q)
              right: Conv2d(_, 4, 1)
            outputs: [added, right]
        """)
    agree(path)
    assert "cell = layer(*cell)" in compiled(path).source


def test_for_over_one_list_and_two(spec):
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        layers:
          a: MaxPool2d(2)
          b: Conv2d(_, 5, 3)
          heads: Heads([2, 3])([a, b])
        outputs: [heads.small, heads.large]
        modules:
          Heads:
            params: {sizes: list}
            inputs: [maps]
            layers:
              small:
                for: {m: maps}
                op: Conv2d(_, 2, 1)(m)
              large:
                for: {m: maps, s: sizes}
                op: Conv2d(_, 4 * s, 1)(m)
        """)
    module = agree(path)
    assert [conv.out_channels for conv in module.heads.large] == [8, 12]


def test_for_over_branches_of_one_value(spec):
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        layers:
          branches:
            for: {d: [1, 2, 4]}
            op: Conv2d(_, 2, 3, padding=d, dilation=d)(images)
          joined: Cat(dim=1)(branches)
        """)
    agree(path)
    assert "[layer(images) for layer in self.branches]" in compiled(path).source


def test_for_over_settings_of_an_op_without_a_layer(spec):
    path = spec("""
        inputs: {images: [N, 12, 4, 4]}
        layers:
          tables:
            for: {n: [2, 3, 4]}
            op: PerBox(n)(images)
        outputs: [tables]
        """)
    agree(path)


@pytest.mark.parametrize("op", ["Conv2d(4, 4, 1)(m)", "Head(4)(m)"])
def test_for_with_one_shared_instance(spec, op):
    path = spec(f"""
        inputs: {{images: [N, 4, 32, 32]}}
        layers:
          a: MaxPool2d(2)
          b: MaxPool2d(2)
          head:
            for: {{m: [images, a, b]}}
            shared: true
            op: {op}
        outputs: [head]
        modules:
          Head:
            params: {{out: int}}
            layers:
              conv: Conv2d(_, out, 1)
              act: ReLU()
        """)
    agree(path)
    assert compiled(path).parameters == 20


def test_several_outputs_of_a_shared_instance(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          a: MaxPool2d(2)
          rpn:
            for: {m: [images, a]}
            shared: true
            op: Rpn()(m)
          tables:
            for: {m: rpn.scores}
            op: PerBox(1)(m)
          joined: Cat(dim=1)(tables)
        outputs: {joined: joined, deltas: rpn.deltas}
        modules:
          Rpn:
            layers:
              conv: Conv2d(_, 4, 1)
              scores: Conv2d(_, 3, 1)
              deltas: Conv2d(_, 12, 1)(conv)
            outputs: [scores, deltas]
        """)
    agree(path)


def test_only_a_later_turn_of_a_shared_instance_is_used(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          a: MaxPool2d(2)
          head:
            for: {m: [images, a]}
            shared: true
            op: Head()(m)
          end: ReLU()(head[1])
        modules:
          Head:
            layers:
              conv: Conv2d(_, 4, 1)
        """)
    agree(path)


def test_turns_that_build_on_the_turn_before(spec):
    path = spec("""
        inputs: {images: [N, 8, 32, 32]}
        layers:
          c3: MaxPool2d(2)
          c4: MaxPool2d(2)
          pyramid: Pyramid(6)([images, c3, c4])
        outputs: [pyramid]
        modules:
          Pyramid:
            params: {width: int}
            inputs: [maps]
            layers:
              inner:
                for: {m: maps}
                op: Conv2d(_, width, 1)(m)
              merged:
                for: {i: range(len(inner)), lateral: reversed(inner)}
                if: i > 0
                op: TopDown()(lateral, merged[i - 1])
              outer:
                for: {m: reversed(merged)}
                op: Conv2d(_, width, 3, padding=1)(m)
          TopDown:
            inputs: [lateral, above]
            layers:
              up: Upsample(mode='nearest')(above, like=lateral)
              add: Add()(lateral, up)
              smooth: Conv2d(_, 6, 1)
        """)
    assert "pyramid.merged.1.smooth.weight" in agree(path).state_dict()


def test_uses_of_a_shared_instance_that_are_tapped_at_different_places(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          a: MaxPool2d(2)
          head:
            for: {m: [images, a]}
            shared: true
            op: Head()(m)
          early: ReLU()(head[0].early)
          late: ReLU()(head[1].late)
        outputs: [early, late]
        modules:
          Head:
            layers:
              early: Conv2d(_, 4, 1)
              late: Conv2d(_, 5, 1)
              last: Conv2d(_, 6, 1)
        """)
    agree(path)


@pytest.mark.parametrize("left_out", ["i == 1", "i == 1 or i == 2", "i == 0", "i == 3"])
def test_a_recurrence_that_leaves_turns_out(left_out, spec):
    path = spec(f"""
        inputs: {{images: [N, 4, 32, 32]}}
        layers:
          chain:
            for: {{i: range(4)}}
            if: not ({left_out})
            op: Conv2d(_, 4, 1)(chain[i - 1] if i else images)
          sums:
            for: {{i: range(4), m: chain}}
            if: not ({left_out})
            op: Add()(m, sums[i - 1] if i else images)
        outputs: [chain, sums]
        """)
    built = 4 - len([turn for turn in range(4) if f"== {turn}" in left_out])
    assert len(agree(path).state_dict()) == 2 * built


@pytest.mark.parametrize(
    ("op", "first"),
    [
        ("Conv2d(_, 8, 3, 1, 1)", "{stride: 2, out_channels: 6}"),
        ("Conv2d(_, 8, 3, padding=1)", "{stride: 2, out_channels: 6}"),
        ("Conv2d(_, 8, 3, padding=1, stride=1)", "{stride: 2, out_channels: 6}"),
        ("Block(8, 1)", "{stride: 2, out: 6}"),
        ("Block(8)", "{stride: 2, out: 6}"),
    ],
)
def test_first_takes_the_place_of_an_argument(op, first, spec):
    path = spec(f"""
        inputs: {{images: [N, 4, 32, 32]}}
        layers:
          body: {{repeat: 2, first: {first}, op: "{op}"}}
        modules:
          Block:
            params: {{out: int, stride: 1}}
            layers:
              - Conv2d(_, out, 3, stride, 1)
        """)
    model = compiled(path)
    agree(path)
    widths = [node.shape[1:] for node in model.hierarchy.nodes() if node.kind == "Conv2d"]
    assert widths == [(6, 16, 16), (8, 16, 16)]


def test_turns_left_out_pass_on_what_nothing_else_reads(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          a: Conv2d(_, 4, 1)
          none:
            for: {i: [1, 2]}
            if: i > 5
            op: ReLU()(a)
          b: Conv2d(_, 4, 1)(images)
          some:
            for: {i: [1, 2], m: "[b, none[0]]"}
            if: i > 1
            op: Conv2d(_, 4, 1)(m)
        outputs: [none, some]
        """)
    assert len(agree(path).state_dict()) == 6


def test_a_loop_over_nothing(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        params: {extra: 0}
        layers:
          stem: Conv2d(_, 4, 1)
          more:
            for: {i: range(extra)}
            op: Conv2d(_, 4, 1)(more[i - 1] if i else stem)
          both: Cat(dim=1)([stem, *more])
        """)
    assert [found.code for found in compiled(path).diagnostics] == ["W0605"]
    agree(path)
    assert agree(path, extra=2).state_dict().keys() >= {"more.0.weight", "more.1.weight"}


def test_functions_take_what_a_module_gives(spec):
    path = spec("""
        inputs: {images: [N, 3, 32, 32]}
        layers:
          pair: Pair()
          back:
            for: {m: reversed(pair)}
            op: Conv2d(_, 8 * len(pair), 3)(m)
        modules:
          Pair:
            layers:
              a: Conv2d(_, 4, 3)
              b: Conv2d(_, 4, 3)
            outputs: {a: a, b: b}
        outputs: {maps: back}
        """)
    agree(path)
    assert compiled(path).shapes["back.0"] == ("N", 16, 26, 26)


def test_a_single_turn_walks_over_its_list_as_several_do(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          one: Heads()([images])
          two: Heads()([images, images])
          alone:
            for: {i: range(1)}
            shared: true
            op: Scale()(images)
          joined: Cat(dim=1)(alone)
        outputs: [one, two, joined]
        modules:
          Heads:
            inputs: [maps]
            layers:
              head: {for: {m: maps}, shared: true, op: "Conv2d(_, 4, 1)(m)"}
              scaled: {for: {m: head}, shared: true, op: Scale()(m)}
              joined: Cat(dim=1)(scaled)
          Scale:
            layers:
              gate: Sigmoid()
              twice: Mul()(x, gate)
        """)
    agree(path)
    source = compiled(path).source
    assert "range(1)" not in source
    assert source.count("class Heads") == 1
    assert "head = [self.head(m) for m in maps]" in source
    assert "scaled = [self.scaled(m) for m in head]" in source
    assert "alone = [self.alone(images)]" in source


def test_what_a_list_is_made_of_keeps_its_name(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          fine: Conv2d(_, 4, 1)(images)
          coarse: MaxPool2d(2)(images)
          mixed: Conv2d(_, 4, 1)
          each: {for: {x: "[fine, mixed]"}, shared: true, op: AdaptiveAvgPool2d(1)(x)}
          joined: Cat(dim=1)(each)
        outputs: [joined]
        """)
    agree(path)
    assert "each = [self.each(x) for x in [fine, mixed]]" in compiled(path).source
