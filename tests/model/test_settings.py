import json

import pytest
from diffusers.pipelines.qwenimage.pipeline_qwenimage_layered import calculate_dimensions
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl_model import CheckpointError, Profile, Settings, read_profile
from layerctl_model.settings import PROFILE, bucket_size

sides = st.integers(200, 8000)


@settings(deadline=None)
@given(height=sides, width=sides, resolution=st.sampled_from([640, 1024]))
def test_buckets_are_those_of_diffusers(height, width, resolution):
    theirs = calculate_dimensions(resolution**2, width / height)
    assert bucket_size(height, width, resolution) == theirs[::-1]


@settings(deadline=None)
@given(height=st.integers(1, 9000), width=st.integers(1, 9000))
def test_no_picture_is_too_slim_for_a_bucket(height, width):
    bucket = bucket_size(height, width, 128)
    assert all(side > 0 and side % 32 == 0 for side in bucket)


def test_a_folder_without_a_profile_is_like_the_published_model(tmp_path):
    assert read_profile(tmp_path) == Profile(Settings(steps=50, guidance=4.0, resolution=640))


def test_a_profile_is_read(tmp_path):
    content = {"resolution": 128, "steps": 20, "layers": 5, "fewest_layers": 2, "most_layers": 6}
    content |= {"separator_scales": [1.25, 2], "separator_detail": 3}
    (tmp_path / PROFILE).write_text(json.dumps(content))
    settings = Settings(layers=5, steps=20, resolution=128)
    seen = {"separator_scales": (1.25, 2), "separator_detail": 3}
    assert read_profile(tmp_path) == Profile(settings, fewest_layers=2, most_layers=6, **seen)


@pytest.mark.parametrize(
    "content",
    [
        '{"stepz": 3}',
        '{"steps": 0}',
        "[]",
        "{",
        '{"steps": "3"}',
        '{"steps": 2.5}',
        '{"needs_text": "yes"}',
        '{"most_layers": "many"}',
        '{"fewest_layers": 5, "most_layers": 2}',
        '{"separator_scales": [1, 0]}',
        '{"separator_scales": []}',
        '{"separator_scales": ["large"]}',
        '{"separator_detail": 9}',
        '{"separator_detail": [2]}',
    ],
)
def test_a_profile_that_says_anything_else_is_refused_by_name(tmp_path, content):
    (tmp_path / PROFILE).write_text(content)
    with pytest.raises(CheckpointError, match=PROFILE):
        read_profile(tmp_path)
