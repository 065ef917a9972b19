"""Which names a spec may give, since each becomes a name of the emitted Python."""

from __future__ import annotations

import keyword
import re
from functools import cache
from types import ModuleType

from specc import ops

__all__ = ["OUTPUTS", "class_name", "has_meaning", "refusal", "variant_refusal"]

OUTPUTS = "Outputs"
"""The named tuple that a model with several outputs returns."""

_LONGEST = 60

_MODULE_ATTRIBUTES = frozenset(
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda "
    "double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter "
    "get_submodule half ipu load_state_dict modules mtia named_buffers named_children "
    "named_modules named_parameters parameters register_backward_hook register_buffer "
    "register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter "
    "register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state "
    "set_submodule share_memory state_dict to to_empty train training type xpu zero_grad "
    "append extend insert pop".split()
)
_EMITTED_NAMES = frozenset(
    "self torch nn functional math Any Tensor NamedTuple MODEL DETECTOR super zip enumerate range "
    "list tuple dict int float str bool len min max round sum in_channels per_box x rows row "
    "make_divisible".split()
)


def refusal(name: str) -> str | None:
    """Say why a name cannot be given to a row, module, parameter or input; `None` if it can."""
    if len(name) > _LONGEST:
        return f"a name may have {_LONGEST} characters; this has {len(name):,}"
    if not (name.isidentifier() and name.isascii()):
        return f"`{name}` is not an identifier: letters, digits and `_`, not a digit first"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return f"`{name}` is a word of Python"
    if name.startswith("_"):
        return "a name that begins with `_` is private to the emitted class"
    if name in _MODULE_ATTRIBUTES:
        return f"`{name}` would hide `nn.Module.{name}`"
    if has_meaning(name):
        return f"`{name}` has a meaning of its own in the emitted code"
    return None


def has_meaning(name: str) -> bool:
    """Whether emitted files use a name for something of torch, Python or their own."""
    return name == OUTPUTS or name in _EMITTED_NAMES or name in _helpers()


def variant_refusal(name: str) -> str | None:
    """Say why a variant cannot have a name, which becomes part of a file's name."""
    if len(name) > _LONGEST or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]*", name):
        return f"a variant's name is of letters, digits and `_`, at most {_LONGEST}"
    return None


@cache
def _helpers() -> frozenset[str]:
    """The names of the classes and functions that emitted files carry, and of what these import."""
    modules = (held for held in vars(ops).values() if isinstance(held, ModuleType))
    held = (value for module in modules for value in vars(module).values())
    helpers = [value for value in held if isinstance(value, ops.Helper)]
    lines = [line.rpartition("import ")[2] for helper in helpers for line in helper.imports]
    return frozenset([helper.name for helper in helpers]).union(
        *(line.split(", ") for line in lines)
    )


def class_name(name: str) -> str:
    """Turn a spec's name into a class name: `ssd300_vgg` becomes `Ssd300Vgg`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
