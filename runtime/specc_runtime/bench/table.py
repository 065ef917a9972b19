"""Measurements as text for people."""

from typing import Any


def table(figures: dict[str, Any]) -> str:
    """Lines that say what was measured, then speed, phases, use of the device and memory."""
    height, width = figures["size"]
    setting = (
        f"{figures['model']}: {figures['mode']}, batch {figures['batch']} of {height}x{width}, "
        f"{figures['precision']}, {figures['device']}, {figures['threads']} threads"
    )
    per_second = figures["images_per_second"]
    speed = f"{_interval(per_second, ',.1f' if per_second['median'] >= 10 else '.3g')} images/s"
    lines = [setting, speed, "", *_phases(figures["phases_ms"]), ""]
    if "mfu" in figures:
        lines.append(
            f"{figures['mfu']:.1%} of the {figures['matmul_peak_tflops']:,.3f} TFLOP/s that matrix "
            f"products reach here; {figures['gflop_per_image']:,.2f} GFLOP an image"
        )
    memory = figures["memory"]
    on_device = memory["peak_device"]
    lines.append(
        f"memory: {memory['peak_rss'] / 2**20:,.0f} MiB"
        + (f", on the device {on_device / 2**20:,.0f} MiB" if on_device else "")
    )
    if "torchvision" in figures:
        pairs = figures["torchvision"]
        lines.append(
            f"torchvision: {_interval(pairs['torchvision_milliseconds'], ',.1f')} ms a step, here "
            f"{_interval(pairs['milliseconds'], ',.1f')} ms: {_interval(pairs['ratio'], '.2f')} times as fast"
        )
    return "\n".join(lines)


def _phases(phases: dict[str, float]) -> list[str]:
    total = sum(phases.values())
    rows = [*phases.items(), ("all", total)]
    return [f"{phase:10}{ms:12,.2f} ms{ms / total:8.1%}" for phase, ms in rows]


def _interval(found: dict[str, Any], form: str) -> str:
    low, high = found["interval_95"]
    middle = format(found["median"], form)
    return middle if low == high else f"{middle} ({format(low, form)} to {format(high, form)})"
