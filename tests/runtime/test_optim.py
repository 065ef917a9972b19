"""Groups, rates, averages, and an optimizer's state by name."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from specc_runtime.optim import (
    Average,
    build_optimizer,
    learning_rate,
    load_optimizer_tensors,
    optimizer_tensors,
    parameter_groups,
    set_learning_rate,
)
from specc_runtime.recipe import Recipe

torch.set_num_threads(1)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def step(module: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    module(torch.ones(2, 3, 8, 8).to(module[0].weight)).square().sum().backward()
    optimizer.step()


def test_only_weights_of_convolutions_decay():
    module = network()
    decayed, free = parameter_groups(module, 0.1)
    assert decayed["weight_decay"] == 0.1 and free["weight_decay"] == 0.0
    assert [p.shape for p in decayed["params"]] == [(4, 3, 3, 3), (2, 4, 1, 1)]
    assert len(free["params"]) == 4


def test_frozen_parameters_are_in_no_group():
    module = network().requires_grad_(False)
    module[2].bias.requires_grad_(True)
    (group,) = parameter_groups(module, 0.1)
    assert group["params"] == [module[2].bias] and group["weight_decay"] == 0.0


def rates(recipe: Recipe, total: int) -> list[float]:
    return [learning_rate(recipe, i, total) for i in range(total)]


def test_steps_after_warm_up():
    recipe = Recipe(lr=1.0, warmup_steps=3, milestones=(0.5, 0.75))
    found = rates(recipe, 100)
    assert found[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(found[3:50]) == {1.0}
    assert set(found[50:75]) == {0.1}
    assert found[75:] == pytest.approx([0.01] * 25)


def test_cosine_falls_to_nothing():
    found = rates(Recipe(lr=2.0, warmup_steps=0, schedule="cosine"), 100)
    assert found[0] == 2.0 and found[50] == pytest.approx(1.0) and 0 < found[-1] < 0.01
    assert found == sorted(found, reverse=True)


def test_cosine_begins_where_the_warm_up_ends():
    found = rates(Recipe(lr=2.0, warmup_steps=10, schedule="cosine"), 110)
    assert found[9] == pytest.approx(2.0 * 10 / 11) and found[10] == 2.0
    assert found[60] == pytest.approx(1.0)


def test_a_milestone_of_one_is_the_first_epoch_and_one_below_it_a_part_of_the_run():
    found = rates(Recipe(epochs=4, lr=1.0, warmup_steps=0, milestones=(0.125, 1.0)), 40)
    assert found == pytest.approx([1.0] * 5 + [0.1] * 5 + [0.01] * 30)


def test_warm_up_takes_a_tenth_of_a_short_run():
    found = rates(Recipe(lr=1.0, warmup_steps=500, schedule="constant"), 30)
    assert found[:4] == [0.25, 0.5, 0.75, 1.0] and set(found[3:]) == {1.0}


def test_all_groups_get_the_rate():
    optimizer = build_optimizer(network(), Recipe())
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_in_any_layout_is_pytorch_s_own(momentum):
    recipe = Recipe(lr=0.01, momentum=momentum, weight_decay=0.1)
    plain, last = network().double(), network().double().to(memory_format=torch.channels_last)
    reference = torch.optim.SGD(parameter_groups(plain, 0.1), lr=0.01, momentum=momentum)
    optimizer = build_optimizer(last, recipe)
    for _ in range(4):
        step(plain, reference)
        step(last, optimizer)
    for ours, theirs in zip(last.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_adamw_is_pytorch_s_own_with_the_recipe_s_momentum():
    recipe = Recipe(optimizer="adamw", lr=0.01, momentum=0.8, weight_decay=0.1)
    plain, module = network().double(), network().double()
    groups = parameter_groups(plain, 0.1)
    reference = torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.999), fused=False)
    optimizer = build_optimizer(module, recipe)
    for _ in range(4):
        step(plain, reference)
        step(module, optimizer)
    for ours, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_sgd_copies_no_gradient():
    module = network().to(memory_format=torch.channels_last)
    optimizer = build_optimizer(module, Recipe())
    step(module, optimizer)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        optimizer.step()
    names = {event.name for event in seen.events()}
    assert "aten::_fused_sgd_" in names and "aten::copy_" not in names


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_state_goes_by_name_and_comes_back_to_the_bit(kind):
    recipe = replace(Recipe(), optimizer=kind)
    first = network()
    optimizer = build_optimizer(first, recipe)
    for _ in range(3):
        step(first, optimizer)
    tensors = optimizer_tensors(first, optimizer)
    assert "0.weight/momentum_buffer" in tensors or "0.weight/exp_avg" in tensors
    second = network()
    second.load_state_dict(first.state_dict())
    again = build_optimizer(second, recipe)
    load_optimizer_tensors(second, again, {name: t.clone() for name, t in tensors.items()})
    step(first, optimizer)
    step(second, again)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_loaded_state_lies_in_memory_as_its_parameter_does():
    module = network().to(memory_format=torch.channels_last)
    optimizer = build_optimizer(module, Recipe())
    fresh = optimizer_tensors(module, optimizer)
    loaded = {**fresh, "0.weight/momentum_buffer": torch.randn(4, 3, 3, 3)}
    load_optimizer_tensors(module, optimizer, loaded)
    buffer = optimizer.state[module[0].weight]["momentum_buffer"]
    assert (
        buffer.stride() == module[0].weight.stride() != loaded["0.weight/momentum_buffer"].stride()
    )
    assert torch.equal(buffer, loaded["0.weight/momentum_buffer"])


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_state_of_other_shapes_or_names_is_refused_before_it_is_written_to(kind):
    module = network()
    optimizer = build_optimizer(module, replace(Recipe(), optimizer=kind))
    kept = optimizer_tensors(module, optimizer)
    for name, value in kept.items():
        for other in (torch.zeros(()) if value.ndim else torch.zeros(2), value[None]):
            with pytest.raises(ValueError, match=f"{name} is .* not .* as its parameter"):
                load_optimizer_tensors(module, optimizer, {**kept, name: other})
        lacking = {n: v for n, v in kept.items() if n != name}
        with pytest.raises(ValueError, match=f"other values, as {name}"):
            load_optimizer_tensors(module, optimizer, lacking)
    with pytest.raises(ValueError, match="other values, as nothing/step"):
        load_optimizer_tensors(module, optimizer, {**kept, "nothing/step": torch.zeros(())})


def test_the_average_follows_slowly_and_copies_statistics():
    module = network()
    average = Average(module, decay=0.5)
    start = module[0].weight.detach().clone()
    with torch.no_grad():
        module[0].weight += 1.0
        module[1].running_mean += 3.0
    average.update(module, step=1000)
    torch.testing.assert_close(average.module[0].weight, start + 0.5)
    assert torch.equal(average.module[1].running_mean, module[1].running_mean)
    assert not average.module.training and not average.module[0].weight.requires_grad


def test_a_young_average_forgets_where_it_began():
    module = network()
    average = Average(module, decay=0.9999)
    start = module[0].weight.detach().clone()
    with torch.no_grad():
        module[0].weight += 1.0
    average.update(module, step=0)
    torch.testing.assert_close(average.module[0].weight, start + 0.9)
