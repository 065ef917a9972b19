"""Faults in `init`: tensors that are not there, calls that are none, values that do not fit."""

from pathlib import Path

import pytest
from marked import Fault, check, findings, named, rows

MODULE = "modules: {Block: {layers: {a: 'Conv2d(_, 4, 1)'}}}\n"


def conv(init: str, op: str = "Conv2d(_, 4, 3)", more: str = "") -> str:
    """Return a spec of one row with initial values."""
    return named(f"a:\n    op: {op}\n    init: {{{init}}}", more=more)


FAULTS = [
    Fault("E0314", conv("«wieght»: zeros_()"), "`weight`"),
    Fault("E0314", conv("«gain»: zeros_()"), "it has weight, bias"),
    Fault("E0314", conv("«bias»: zeros_()", "Conv2d(_, 4, 3, bias=False)"), "it has weight"),
    Fault("E0314", conv("«weight»: zeros_()", "ReLU()"), "take `init` out"),
    Fault("E0314", conv("«num_batches_tracked»: zeros_()", "BatchNorm2d(_)"), "it has weight"),
    Fault("E0314", conv("«weight»: zeros_()", "Block()", MODULE), "the rows of `Block`"),
    Fault("E0409", conv("bias: «xavier_uniform_()»"), "`zeros_()`"),
    Fault("E0409", conv("weight: '«uniform_(1, 0)»'"), "lower bound first"),
    Fault("E0205", conv("weight: «normal»()"), "`normal_`"),
    Fault("E0205", conv("weight: «orthogonal_»()"), "trunc_normal_"),
    Fault("E0204", conv("weight: «normal_»"), "`zeros_()`"),
    Fault("E0203", conv("weight: «0»"), "`normal_(std=0.01)`"),
    Fault("E0204", conv("weight: «normal_() if False else 0»"), "`zeros_()`"),
    Fault("E0205", conv("weight: «normal»() if True else zeros_()"), "`normal_`"),
    Fault("E0301", conv("weight: normal_() if «std» else zeros_()"), "`image`"),
    Fault("E0206", conv("weight: normal_(«sdt»=1)"), "`std`"),
    Fault("E0207", conv("weight: «constant_»()"), "`constant_(val)`"),
    Fault("E0208", conv("weight: 'constant_(1, «2»)'"), "takes 1: val"),
    Fault("E0210", conv("weight: constant_(«'a'»)"), "a number"),
    Fault("E0211", conv("weight: normal_(std=«-1»)"), "from 0"),
    Fault("E0211", conv("weight: trunc_normal_(std=«0»)"), "above 0"),
    Fault("E0210", conv("weight: kaiming_normal_(mode=«'fan_inn'»)"), "'fan_in'"),
    Fault("E0301", conv("bias: constant_(-log(«prior»))"), "`image`"),
    Fault("E0214", conv("bias: constant_(«log(0)»)"), "check the values"),
    Fault("E0214", conv("bias: constant_(«sqrt(-1)»)"), "check the values"),
    Fault("E0214", conv("bias: constant_(«exp(100)»)"), "2**53"),
    Fault("E0219", conv("weight: «normal_(0», 1)"), "line of its own"),
    Fault("E0203", rows("{op: '[image]', «init»: {weight: zeros_()}}"), "write `name: [a, b]`"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


def test_all_tensors_of_a_row_are_looked_at(tmp_path: Path) -> None:
    text = conv("gain: zeros_(), weight: normal_(std='a'), bias: xavier_normal_()")
    assert [found.code for found in findings(tmp_path, text)] == ["E0314", "E0210", "E0409"]


def test_a_row_that_repeats_is_one_finding(tmp_path: Path) -> None:
    text = named("a: {repeat: 3, op: ReLU(), init: {weight: zeros_()}}")
    assert [found.code for found in findings(tmp_path, text)] == ["E0314"]


def module(init: str, *calls: str, more: str = "") -> str:
    """Return a spec of some rows, with initial values for all of them."""
    return named(*calls, more=f"init: {{{init}}}\n{more}")


CONV = "a: Conv2d(_, 4, 3)"
SWITCH = "params: {top: false}\n"
OWN = "a: {op: 'Conv2d(_, 4, 3)', init: {weight: ones_()}}"
OWN_BIAS = "b: {op: 'Conv2d(_, 4, 3)', init: {bias: ones_()}}"
INSIDE = "modules: {B: {init: {Conv2d: {weight: ones_()}}, layers: ['Conv2d(_, 4, 3)']}}\n"
OF_MODULES = [
    Fault("E0205", module("«Conv2D»: {weight: zeros_()}", CONV), "`Conv2d`"),
    Fault("E0205", module("«Kernel»: {weight: zeros_()}", CONV), "`specc ops`"),
    Fault("E0205", module("Conv2d: {weight: «zeros»()}", CONV), "`zeros_`"),
    Fault("E0204", module("Conv2d: {weight: «zeros_»}", CONV), "`zeros_()`"),
    Fault("E0203", module("Conv2d: «zeros_()»", CONV), "a mapping"),
    Fault("E0301", module("Conv2d: {weight: constant_(«a»)}", CONV), "move it up"),
    Fault("E0314", module("Conv2d: {«wieght»: zeros_()}", CONV), "`weight`"),
    Fault("E0314", module("Conv2d: {«gain»: zeros_()}", CONV), "they have weight, bias"),
    Fault("E0314", module("ReLU: {«gain»: zeros_()}", "a: ReLU()"), "take it out"),
    Fault("E0409", module("Conv2d: {bias: «xavier_uniform_()»}", CONV), "`zeros_()`"),
    Fault("W0608", module("«Linear»: {weight: zeros_()}", CONV), "take it out"),
    Fault("W0608", module("Conv2d: {«weight»: zeros_(), bias: zeros_()}", OWN), "take it out"),
    Fault("W0608", module("Conv2d: {«weight»: zeros_()}", "a: B()") + INSIDE, "further in"),
]


@pytest.mark.parametrize("fault", OF_MODULES, ids=str)
def test_fault_of_a_module(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


FINE = [
    module("Conv2d: {weight: ones_(), bias: zeros_()}", "a: Conv2d(_, 4, 3, bias=False)"),
    module("Linear: {bias: zeros_()}", CONV, "b: {op: Linear(_), if: top}", more=SWITCH),
    module("Conv2d: {weight: zeros_()}", OWN, "b: {op: 'Conv2d(_, 4, 3)', if: top}", more=SWITCH),
    module("Conv2d: {weight: zeros_()}", OWN, "b: Conv2d(_, 4, 3)"),
    module("Conv2d: {bias: zeros_()}", "a: Conv2d(_, 4, 3, bias=False)", OWN_BIAS),
    module("Linear: {bias: zeros_()}", CONV, "b: {op: B(), if: top}", more=SWITCH)
    + "modules: {B: {layers: {a: 'Linear(_, 3)'}}}\n",
]


@pytest.mark.parametrize("text", FINE)
def test_what_a_flag_or_condition_leaves_out_is_spoken_of(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, text) == []
