"""What the separator is told of its mistakes."""

import numpy as np
import pytest
import torch
import train_separator
from masks import Masks, draw_masks
from safetensors.torch import save_file
from train_separator import (
    BACKBONE,
    LATE,
    Plan,
    at,
    begun,
    draw_points,
    further,
    initialise,
    mask_loss,
    optimizers,
    order_loss,
    pair_loss,
    score_fields,
    separator_loss,
    teach,
    thaw,
    train,
)

from layerctl_model.backbone import Backbone
from layerctl_model.checkpoint import load_separator, save_separator
from layerctl_model.separator import Fields, Separator, SeparatorSizes

SMALL = SeparatorSizes(widths=(8, 12, 16), num_res_blocks=1, num_attentions=1, key_dim=8)


def scenes():
    """Two products that overlap, the second in front, on 16 x 16 masks."""
    whole = torch.zeros(1, 4, 16, 16)
    whole[0, 0, 2:10, 2:10] = whole[0, 1, 6:14, 6:14] = 1
    seen = whole.clone()
    seen[0, 0] *= 1 - seen[0, 1]
    product = seen.sum(dim=1)
    kinds = torch.stack([1 - product, product, torch.zeros_like(product)], dim=1)
    return Masks(torch.zeros(1, 4, 64, 64), kinds, seen, whole)


def told(masks, order=1.0):
    """Fields that say what is true, the nearness times `order`."""
    keys = 40 * (2 * masks.whole - 1)
    seen = 40 * (2 * masks.seen - 1)
    # A query is one-hot, so it reads one key; the answers are scaled by the root of their length.
    nearness = order * 10 * masks.seen[:, 1:2]
    return Fields(20 * masks.kinds, masks.seen, seen, keys, nearness)


def test_the_truth_costs_nearly_nothing_and_the_wrong_order_a_lot():
    torch.manual_seed(0)
    masks = scenes()
    right = separator_loss(told(masks), masks).item()
    torch.manual_seed(0)
    assert right < 0.02
    assert separator_loss(told(masks, order=-1), masks) > right + 1


def test_every_product_is_asked_as_often_as_any_other():
    torch.manual_seed(0)
    masks = scenes()
    masks.seen[0, 0] *= torch.arange(16) < 3
    owners = torch.cat([draw_points(masks.seen)[1] for _ in range(50)])
    assert 0.4 < (owners == 0).float().mean() < 0.6


def test_where_no_product_is_nobody_is_asked():
    _, _, there = draw_points(torch.zeros(2, 4, 16, 16))
    assert not there.any()
    empty = scenes()
    empty.seen.zero_()
    empty.whole.zero_()
    assert separator_loss(told(scenes()), empty).isfinite()


def test_order_counts_only_between_things_that_overlap():
    masks = scenes()
    _, owners, there = draw_points(masks.seen)
    nearness = torch.randn(owners.shape)
    assert order_loss(nearness, owners, masks.whole, there) > 0
    apart = masks.whole.clone()
    apart[0, 1, :10, :10] = 0
    assert order_loss(nearness, owners, apart, there) == 0


def test_a_mask_that_is_right_costs_less_than_its_opposite():
    target = scenes().whole[:, :1]
    weights = torch.ones_like(target)
    assert mask_loss(20 * target - 10, target, weights) < 0.01
    assert mask_loss(10 - 20 * target, target, weights) > 2


def test_a_field_is_read_at_points():
    field = torch.arange(12.0).view(1, 2, 2, 3)
    assert at(field, torch.tensor([[5, 0]])).tolist() == [[[5, 11], [0, 6]]]


def test_a_small_network_learns_scenes_by_heart():
    torch.manual_seed(0)
    masks = draw_masks(np.random.default_rng(5), 2, 64, 64)
    masks = Masks(
        *(getattr(masks, name).float() for name in ("pictures", "kinds", "seen", "whole"))
    )
    separator = Separator(SMALL)
    initialise(separator)
    separator.backbone.requires_grad_(requires_grad=False)
    adam = torch.optim.Adam(separator.parameters(), 3e-3)
    before = separator_loss(separator(masks.pictures), masks).item()
    for _ in range(60):
        adam.zero_grad()
        separator_loss(separator(masks.pictures), masks).backward()
        adam.step()
    assert separator_loss(separator(masks.pictures), masks).item() < 0.6 * before
    assert set(score_fields(separator, masks)) == {"seen", "seen_apart", "whole", "whole_apart"}


def test_a_taught_backbone_learns_nothing_at_first_and_one_without_weights_does(
    tmp_path, monkeypatch
):
    torch.manual_seed(0)
    separator, taught = Separator(SMALL), Backbone()
    monkeypatch.delenv(BACKBONE, raising=False)
    teach(separator.backbone)
    muon, adam = optimizers(separator)
    every = sum(len(optimizer.param_groups[0]["params"]) for optimizer in (muon, adam))
    assert every == len(list(separator.parameters()))
    save_file(taught.state_dict(), tmp_path / "weights.safetensors")
    monkeypatch.setenv(BACKBONE, str(tmp_path / "weights.safetensors"))
    teach(separator.backbone)
    for name, tensor in taught.state_dict().items():
        assert torch.equal(separator.backbone.state_dict()[name], tensor)
    muon, adam = optimizers(separator)
    learning = [p for optimizer in (muon, adam) for p in optimizer.param_groups[0]["params"]]
    frozen = {id(p) for p in separator.backbone.parameters()}
    assert len(learning) == every - len(frozen)
    assert not frozen & {id(p) for p in learning}


def test_of_a_taught_backbone_the_late_stages_learn_once_they_may(tmp_path, monkeypatch):
    torch.manual_seed(0)
    separator = Separator(SMALL)
    initialise(separator)
    save_file(separator.backbone.state_dict(), tmp_path / "weights.safetensors")
    monkeypatch.setenv(BACKBONE, str(tmp_path / "weights.safetensors"))
    teach(separator.backbone)
    _, adam = optimizers(separator)
    taught = {name: tensor.clone() for name, tensor in separator.backbone.state_dict().items()}

    def learned():
        masks = scenes()
        separator_loss(separator(masks.pictures), masks).backward()
        adam.step()
        state = separator.backbone.state_dict()
        return {name.split(".")[1] for name in state if not torch.equal(state[name], taught[name])}

    assert learned() == set()
    thaw(separator.backbone)
    assert learned() == {str(number) for number in range(LATE, len(separator.backbone.stages))}


def test_points_of_one_thing_should_say_so_and_those_that_are_not_there_say_nothing():
    owners = torch.tensor([[0, 0, 1, 1]])
    there = torch.ones(1, 4, dtype=torch.bool)
    own = torch.nn.functional.one_hot(owners, 2).float()
    right = pair_loss(own, 40 * (2 * own - 1), owners, there)
    assert right < 0.01
    assert pair_loss(own, 40 * (1 - 2 * own), owners, there) > 2
    one_thing = pair_loss(own[:, :, :1] + own[:, :, 1:], torch.full((1, 4, 1), 40.0), owners, there)
    assert one_thing == pytest.approx(20, abs=0.1)
    alone = torch.tensor([[True, True, False, False]])
    astray = torch.where(alone[..., None], 40 * (2 * own - 1), 40 * (1 - 2 * own))
    assert pair_loss(own, astray, owners, alone) < 0.01
    assert pair_loss(own, astray, owners, torch.zeros_like(alone)) == 0


def test_a_training_on_begins_from_a_checkpoint(tmp_path, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(train_separator, "SCENES", 2)
    taught = Separator(SMALL)
    initialise(taught)
    save_separator(taught, tmp_path)
    first = {name: weight.clone() for name, weight in taught.state_dict().items()}
    separator = begun(tmp_path)
    assert separator.training
    muon, adam = optimizers(separator)
    backbone = {id(p) for p in separator.backbone.parameters()}
    assert not backbone & {
        id(p) for p in (*muon.param_groups[0]["params"], *adam.param_groups[0]["params"])
    }
    late = {id(p) for p in separator.backbone.stages[LATE:].parameters()}
    assert {id(p) for p in adam.param_groups[1]["params"]} == late
    train(separator, Plan(tmp_path / "on", 0.0, 0))
    again = load_separator(tmp_path / "on" / "checkpoint", dtype=torch.float32)
    for name, weight in again.state_dict().items():
        torch.testing.assert_close(weight, first[name].bfloat16().float())


def test_without_a_gpu_a_training_goes_on_gently_and_leaves_the_backbone_alone(tmp_path):
    cpu, gpu = (further(tmp_path, 1.0, 0, torch.device(name)) for name in ("cpu", "cuda"))
    assert cpu.pace < 1 < gpu.pace
    assert gpu.late_from == 0
    assert cpu.late_from * cpu.minutes >= cpu.minutes
