"""Modules: parameters, defaults, constants, lists and mappings of rows, names of ops as values."""

from __future__ import annotations

from agreement import agree, compiled


def test_a_list_of_rows_is_keyed_by_position(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          - Conv2d(3, 4, 3)
          - norm: BatchNorm2d(_)
          - ReLU(inplace=True)
        """)
    assert list(agree(path).state_dict())[:3] == ["0.weight", "0.bias", "1.weight"]


def test_parameters_defaults_and_constants(spec):
    path = spec("""
        inputs: {images: [N, 3, 16, 16]}
        params: {width: 8}
        let: {twice: 2 * width}
        layers:
          stem: Block(width)
          body: Block(twice, kernel=5)
          tail: Block(twice, 1, scale=0.5)
        modules:
          Block:
            params: {out: int, kernel: 3, scale: 1.0}
            let:
              hidden: max(1, floor(out * scale))
            layers:
              squeeze: Conv2d(_, hidden, 1)
              expand: Conv2d(_, out, kernel, padding=kernel // 2)
        """)
    assert agree(path).tail.squeeze.out_channels == 8
    assert "self.body = Block(width, 2 * width, kernel=5)" in compiled(path).source


def test_channels_that_arrive_have_a_name(spec):
    path = spec("""
        inputs: {images: [N, 6, 8, 8]}
        layers:
          wide: Widen(2)
          wider: Widen(3)
        modules:
          Widen:
            params: {by: int}
            inputs: {x: [N, c, H, W]}
            layers:
              conv: Conv2d(_, c * by, 1, groups=c)
        """)
    assert agree(path).wider.conv.out_channels == 36
    assert compiled(path).source.count("class Widen") == 1


def test_a_parameter_names_an_op_or_a_module(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        params: {Norm: BatchNorm2d}
        layers:
          first: Unit(Norm, Plain)
          second: Unit(Identity, Strided)
        modules:
          Unit:
            params: {Norm: module, conv: module}
            layers:
              conv_: conv(4)
              norm: Norm()
          Plain:
            params: {out: int}
            layers:
              - Conv2d(_, out, 3)
          Strided:
            params: {out: int}
            layers:
              - Conv2d(_, out, 3, stride=2)
        """)
    assert "second.conv_.0.weight" in agree(path).state_dict()
    assert "first.norm.weight" not in agree(path, Norm="Identity").state_dict()


def test_classes_are_named_for_what_was_handed_over(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          a: Unit(SiLU, Plain)
          b: Unit(ReLU, Plain)
        modules:
          Unit:
            params: {Act: module, conv: module}
            layers:
              conv_: conv(4)
              act: Act()
          Plain:
            params: {out: int}
            layers:
              - Conv2d(_, out, 1)
        """)
    agree(path)
    source = compiled(path).source
    assert "class UnitSiLU(" in source
    assert "class UnitReLU(" in source
    assert "`Unit` of the spec, with `ReLU`." in source


def test_equal_structures_share_a_class(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          a: Block(4)
          b: Block(4)
          c: Block(8, True)
        modules:
          Block:
            params: {out: int, pooled: false}
            layers:
              conv: Conv2d(_, out, 1)
              pool:
                if: pooled
                op: MaxPool2d(2)
        """)
    agree(path)
    source = compiled(path).source
    assert "class Block(" in source
    assert "class BlockNoPool(" in source
    assert source.count("class Block") == 2


def test_classes_of_one_module_say_what_tells_them_apart(spec):
    path = spec("""
        inputs: {images: [N, 3, 8, 8]}
        layers:
          short: Stage(1)
          long: Stage(2)
        modules:
          Stage:
            doc: Some layers.
            params: {times: int}
            layers:
              body: {repeat: times, op: "Conv2d(_, 3, 1)"}
              act: ReLU()
        """)
    agree(path)
    source = compiled(path).source
    assert 'class Stage(nn.Module):\n    """Some layers."""' in source
    assert 'class Stage2(nn.Module):\n    """Some layers, with another `body`."""' in source
