import numpy as np
import pytest
from parts import Parts, gather, parts_of
from scores import difference, match, mean, score, soft_iou

from layerctl.document import Document, Layer

LIT = np.zeros((8, 24), bool)


def box(left, right, colour=(200, 40, 40)):
    """A thing of one colour from column `left` to `right` of a 24 by 8 canvas."""
    thing = np.zeros((8, 24, 4), np.uint8)
    thing[2:6, left:right] = (*colour, 255)
    return thing


@pytest.fixture
def backdrop():
    return np.random.default_rng(3).integers(0, 256, (8, 24, 3), np.uint8)


@pytest.fixture
def two(backdrop):
    return gather(backdrop, [box(2, 12), box(8, 20, (0, 0, 0))])


def test_the_soft_iou_is_1_for_the_same_alpha_and_0_for_strangers():
    alpha = np.random.default_rng(0).random((9, 7), np.float32)
    left = np.repeat(np.float32([[1, 1, 0, 0]]), 4, axis=0)
    assert soft_iou(alpha, alpha) == 1
    assert soft_iou(left, 1 - left) == 0
    assert soft_iou(0 * left, 0 * left) == 1


def test_the_soft_iou_is_symmetric_and_counts_half_transparency():
    full = np.ones((4, 4), np.float32)
    assert soft_iou(full, full / 2) == soft_iou(full / 2, full) == 0.5


def test_a_perfect_decomposition_has_perfect_scores(two):
    found = score(two, two, (0, 1), LIT)
    assert (found.iou, found.mae, found.visible, found.hidden) == pytest.approx(
        (1, 0, 0, 0), abs=1e-6
    )
    assert (found.each, found.merges, found.apart) == (1, 0, 1)


def test_finding_nothing_costs_the_same_whatever_the_product_looks_like(backdrop):
    nothing = gather(backdrop, [])
    for colour in ((0, 0, 0), (255, 255, 255), (200, 40, 90)):
        found = score(gather(backdrop, [box(2, 12, colour)]), nothing, (0,), LIT)
        assert (found.iou, found.each, found.visible) == pytest.approx((0, 0, 0.5))


def test_hidden_colour_is_compared_only_behind_the_things(backdrop):
    truth = gather(backdrop, [box(2, 12)])
    beside = backdrop.copy()
    beside[:, 14:] = 0
    behind = backdrop.copy()
    behind[3, 4] = np.where(backdrop[3, 4] > 127, 0, 255)
    assert score(truth, gather(beside, [box(2, 12)]), (0,), LIT).hidden == 0
    assert score(truth, gather(behind, [box(2, 12)]), (0,), LIT).hidden > 0


def test_a_shadow_kept_costs_the_iou_but_not_the_one_outside_shadows(backdrop):
    shadow = LIT.copy()
    shadow[2:6, 12:20] = True
    found = score(gather(backdrop, [box(2, 12)]), gather(backdrop, [box(2, 20)]), (0,), shadow)
    assert found.iou == pytest.approx(10 / 18)
    assert found.unshaded == 1


def test_a_product_in_two_layers_is_merged_and_the_merge_counted(backdrop):
    truth = gather(backdrop, [box(2, 20)])
    found = score(truth, gather(backdrop, [box(2, 8), box(8, 20)]), (0,), LIT)
    assert (found.each, found.merges) == (1, 1)


def test_two_products_in_one_layer_are_not_apart(two, backdrop):
    both = np.maximum(box(2, 12), box(8, 20))
    found = score(two, gather(backdrop, [both]), (0, 1), LIT)
    assert found.iou == pytest.approx(1)
    assert (found.apart, found.merges) == (0, 0)


def test_a_layer_that_belongs_to_nothing_is_left_out_of_the_match(two):
    stray = np.zeros((1, 8, 24), np.float32)
    stray[0, :2] = 1
    found = np.concatenate([stray, two.alphas[:1], stray, two.alphas[1:]])
    assert match(two.alphas, found) == ((1.0, 1), (1.0, 1))


def test_layers_of_things_that_touch_are_matched_in_order(two):
    assert sorted(match(two.alphas, two.alphas[::-1]))[0][0] < 1


def test_things_that_do_not_touch_have_no_order(backdrop):
    three = gather(backdrop, [box(2, 8), box(10, 14), box(12, 20)]).alphas
    right = ((1.0, 1),) * 3
    assert match(three, three) == match(three, three[[1, 0, 2]]) == right
    assert match(three, three[[1, 2, 0]]) == right
    assert match(three, three[[2, 0, 1]]) != right


def test_lettering_needs_no_layer_of_its_own(two, backdrop):
    found = score(two, gather(backdrop, [box(2, 12)]), (0,), LIT)
    assert np.isnan(found.apart)


def test_means_leave_out_what_does_not_apply(two, backdrop):
    alone = gather(backdrop, [box(2, 12)])
    found = mean([score(two, two, (0, 1), LIT), score(alone, gather(backdrop, []), (0,), LIT)])
    assert (found.apart, found.iou) == (1, 0.5)


def test_the_shadow_of_a_document_is_part_of_neither_side(backdrop):
    opaque = np.dstack([backdrop, np.full((8, 24), 255, np.uint8)])
    shadow = Layer("shadow", "shadow", box(0, 24, (0, 0, 0)), blend="multiply")
    layers = (Layer("b", "background", opaque), shadow, Layer("p", "product", box(2, 12)))
    parts = parts_of(Document(24, 8, layers))
    assert isinstance(parts, Parts)
    assert np.array_equal(parts.alphas, gather(backdrop, [box(2, 12)]).alphas)
    assert np.allclose(parts.backdrop, backdrop / 255)


def test_a_difference_counts_alpha():
    photo = np.full((2, 2, 4), 200, np.uint8)
    shown = photo.copy()
    shown[0, 0, 3] = 197
    assert difference(shown, photo) == (3, 0.25)
