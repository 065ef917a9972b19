"""Inputs, taps, lists of rows and outputs."""

from __future__ import annotations

from agreement import agree, compiled


def test_several_inputs(spec):
    path = spec("""
        inputs: {left: [N, 3, 8, 8], right: [N, 5, 8, 8]}
        layers:
          a: Conv2d(_, 4, 1)(left)
          b: Conv2d(_, 4, 1)(right)
          both: Pair()(a, b)
        modules:
          Pair:
            inputs: {p: [N, c, H, W], q: [N, d, H, W]}
            layers:
              added: Add()(p, q)
              mixed: Conv2d(_, c + d, 1)
        """)
    assert agree(path).both.mixed.out_channels == 8


def test_taps_through_two_levels(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        layers:
          body: Outer()
          near: Conv2d(_, 2, 1)(body.middle)
          far: Conv2d(_, 2, 1)(body.inner.deep)
        outputs: {near: near, far: far, end: body}
        modules:
          Outer:
            layers:
              inner: Inner()
              middle: MaxPool2d(2)
              last: Conv2d(_, 7, 1)
          Inner:
            layers:
              deep: Conv2d(_, 5, 3, stride=2, padding=1)
              tail: Conv2d(_, 6, 1)
        """)
    module = agree(path)
    assert [module.far.in_channels, module.near.in_channels] == [5, 6]
    assert "class Outputs(NamedTuple)" in compiled(path).source


def test_a_tap_through_three_levels_ends_at_a_module(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        layers:
          body: Outer()
          maps: [body.inner.deep, body]
          heads:
            for: {m: maps}
            op: Conv2d(_, 2, 1)(m)
        modules:
          Outer:
            layers:
              inner: Inner()
              last: Conv2d(_, 7, 1)
          Inner:
            layers:
              deep: Deep()
              tail: Conv2d(_, 6, 1)
          Deep:
            layers:
              - Conv2d(_, 5, 1)
              - ReLU()
        """)
    assert [head.in_channels for head in agree(path).heads] == [5, 7]


def test_a_tapped_list_runs_in_slices(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        layers:
          body: Body()
          joined: Cat(dim=1)(body.early, body.late)
        modules:
          Body:
            layers:
              - Conv2d(_, 4, 3, padding=1)
              - early: ReLU()
              - Conv2d(_, 5, 3, padding=1)
              - late: ReLU()
              - Conv2d(_, 6, 3, padding=1)
        """)
    agree(path)
    assert "for row in rows[2:4]:" in compiled(path).source


def test_a_list_whose_rows_are_not_a_chain(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        layers:
          - first: Conv2d(_, 4, 1)
          - ReLU()
          - Add()(first)
          - Add()(first, first)
          - Conv2d(_, 5, 1)(first)
        """)
    assert list(agree(path).state_dict()) == ["0.weight", "0.bias", "4.weight", "4.bias"]


def test_rows_that_list_values(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        layers:
          a: Conv2d(_, 4, 1)
          b: Conv2d(_, 4, 1)(images)
          maps: [a, b, images]
          first: Head()(maps)
          second: Head()([*maps, b])
          both: Cat(dim=1)(first, second)
        modules:
          Head:
            inputs: [maps]
            layers:
              convs:
                for: {m: maps}
                op: Conv2d(_, 2, 1)(m)
              joined: Cat(dim=1)(convs)
        """)
    agree(path)
    assert "self.second([*maps, b])" in compiled(path).source


def test_outputs_as_a_list_and_as_a_mapping(spec):
    rows = """
        inputs: {images: [N, 3, 16, 16]}
        layers:
          a: Conv2d(_, 4, 1)
          b: Pair()
        modules:
          Pair:
            layers:
              one: MaxPool2d(2)
              two: MaxPool2d(4)(x)
            outputs: {first: one, second: two}
        """
    listed = compiled(spec(f"{rows}\n        outputs: [a, b.second]", "listed"))
    mapped = compiled(spec(f"{rows}\n        outputs: {{x0: b.first, x1: a}}", "mapped"))
    assert "a: Tensor" in listed.source
    assert "x0: Tensor" in mapped.source
    for model in (listed, mapped):
        agree(model.path)


def test_a_row_that_nothing_reads_is_built_and_not_run(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        layers:
          dead: Conv2d(_, 4, 1)
          live: Conv2d(_, 4, 1)(images)
        """)
    assert "dead.weight" in agree(path).state_dict()
    assert "self.dead(" not in compiled(path).source


def test_open_sizes(spec):
    path = spec("""
        inputs: {images: [N, 3, H, W]}
        layers:
          stem: Conv2d(_, 4, 3, stride=2, padding=1)
          pool: MaxPool2d(3, stride=2, ceil_mode=True)
          up: Upsample(scale_factor=2)
        """)
    agree(path)
    assert compiled(path).shapes["stem"] == ("N", 4, "ceil(H/2)", "ceil(W/2)")
