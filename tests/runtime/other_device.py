"""A device beside the CPU, for machines that have none: PyTorch's slot for a backend made in Python.

A tensor on it holds one on the CPU, which does the arithmetic, so that numbers are the CPU's. What
fails on a GPU fails here too: an operation that is given tensors of both raises. So it does for a
number on the CPU, which a GPU would take, but not a graph captured of it. Where the host would wait for
the device is written down. Autocast casts what it casts on CUDA.

A process that imports this has the device for good; it is for processes of their own.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import ClassVar

import torch
import torchvision  # noqa: F401 - its operations are to be known
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._pytree import tree_iter, tree_map

from .operations import WAITS, name

OURS = ("specc_runtime", "generated")
"""Folders of the code that a wait is put down to."""
LOWER = "_convolution addmm baddbmm bmm conv1d conv2d conv3d convolution einsum linear matmul mm mv"
"""What autocast computes in bfloat16 on CUDA: ATen/autocast_mode.h, AT_FORALL_LOWER_PRECISION_FP."""
PROMOTED = (
    "addcdiv addcmul atan2 bilinear cross dot grid_sampler index_put scatter_add tensordot vdot"
)
"""What it computes in the widest type it is given; the rest is in float32."""
INSIDE = ("aten::conv2d.padding",)
"""What autocast gets to see the inside of on CUDA, but not here without gradients."""


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self):
        return [torch.bfloat16]


backend_registration._setup_privateuseone_for_python_backend("other", _Module())
DEVICE = torch.device("other", 0)
# Else `Module.to` would change what a parameter says of itself, and not what it holds.
torch.__future__.set_overwrite_module_params_on_conversion(True)


class MixedDevices(Exception):
    """An operation was given tensors of both devices."""


class Other(Tensor):
    """A tensor on the other device; `held` is the one that it holds."""

    waits: ClassVar = Counter()
    """How often the host waited: by operation, and the module of ours that asked for it."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return Tensor._make_wrapper_subclass(
            cls, held.size(), dtype=held.dtype, device=DEVICE, **layout
        )

    def __init__(self, held):
        self.held = held

    def __repr__(self):
        return f"Other({self.held!r})"

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        with torch.inference_mode(False):
            return cls.compute(func, args, kwargs or {})

    @classmethod
    def compute(cls, func, args, kwargs):
        """Do an operation on what is held, if a GPU would do it."""
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            return func.decompose(*args, **kwargs)
        given = [value for value in tree_iter((args, kwargs)) if isinstance(value, Tensor)]
        known = {id(value.held): value for value in given if isinstance(value, cls)}
        called, to = name(func, args), torch.device(kwargs.get("device") or DEVICE)
        to_host = to.type != DEVICE.type or (called == "copy_" and not isinstance(args[0], cls))
        from_host = called == "copy_" and not isinstance(args[1], cls)
        if not (to_host or from_host or all(isinstance(value, cls) for value in given)):
            raise MixedDevices(
                f"{func} of {[(*value.shape, str(value.device)) for value in given]}"
            )
        if to_host or (from_host and True not in args[2:]) or called in WAITS:
            cls.waits[f"{called} in {_asked_by()}"] += 1
        args, kwargs = tree_map(lambda value: getattr(value, "held", value), (args, kwargs))
        here = {"device": torch.device("cpu"), "pin_memory": False}
        found = func(*args, **{key: here.get(key, value) for key, value in kwargs.items()})
        if to_host:
            return found

        def on_device(value):
            if not isinstance(value, Tensor):
                return value
            return known[id(value)] if id(value) in known else cls(value)

        return tree_map(on_device, found)


def _asked_by() -> str:
    """The name of our module whose function is running."""
    frame = sys._getframe()
    while frame and not set(OURS) & set(Path(frame.f_code.co_filename).parts):
        frame = frame.f_back
    return Path(frame.f_code.co_filename).stem if frame else "nobody"


def _make(factory):
    """The device's own of a function that makes tensors."""

    def make(*sizes, dtype=None, memory_format=None, **_):
        options = {"memory_format": memory_format} if memory_format else {}
        return Other(factory(*sizes, dtype=dtype, **options))

    return make


def _copy(source, target, non_blocking=False):
    """What `torch.tensor(..., device=...)` calls, past all that is Python's."""
    return Other.__torch_dispatch__(
        torch.ops.aten.copy_.default, (), (target, source, non_blocking)
    )


def _cast(op, dtype):
    """An operation as autocast has it: floating-point tensors on the device become of one type."""
    key = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)

    def cast(value):
        is_one = isinstance(value, Other) and value.is_floating_point()
        return value.to(dtype) if is_one and value.dtype != torch.float64 else value

    def run(*args, **kwargs):
        with torch._C._ExcludeDispatchKeyGuard(key):
            return op(*tree_map(cast, args), **tree_map(cast, kwargs))

    return run


def _register() -> dict[str, torch.library.Library]:
    """Make the device known to PyTorch's dispatcher, for as long as what is returned lives."""
    libraries = {of: torch.library.Library(of, "IMPL") for of in ("_", "aten", "torchvision")}
    libraries["_"].fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for factory, overloads in {
        torch.empty: ["empty.memory_format"],
        torch.empty_strided: ["empty_strided"],
        torch.arange: ["arange", "arange.start", "arange.start_step"],
    }.items():
        for overload in overloads:
            libraries["aten"].impl(overload, _make(factory), "PrivateUse1")
    libraries["aten"].impl("_copy_from", _copy, "PrivateUse1")
    for path in [*torch._C._dispatch_get_registrations_for_dispatch_key("AutocastCUDA"), *INSIDE]:
        of, _, overload = path.partition("::")
        called, _, kind = overload.partition(".")
        if called not in PROMOTED.split():
            op = getattr(getattr(getattr(torch.ops, of), called), kind or "default")
            dtype = torch.bfloat16 if called in LOWER.split() else torch.float32
            libraries[of].impl(overload, _cast(op, dtype), "AutocastPrivateUse1")
    return libraries


_LIBRARIES = _register()
