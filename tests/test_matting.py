"""The outline of a share follows the edges of a picture."""

import cv2
import numpy as np

from layerctl.matting import HAZE, RADIUS, SMOOTHNESS, edge_lines, follow_edges


def test_edge_lines_are_the_guided_filter_of_the_paper():
    rng = np.random.default_rng(3)
    picture = cv2.GaussianBlur(rng.random((80, 120, 3), dtype=np.float32), (0, 0), 2)
    share = np.zeros((80, 120), np.float32)
    share[20:60, 30:90] = 1
    lines = edge_lines(picture, share)
    pixels = np.dstack([picture, np.ones_like(share)])
    filtered = cv2.ximgproc.guidedFilter(picture * 255, share, RADIUS, SMOOTHNESS * 255**2)
    wanted = np.clip((filtered - HAZE) / (1 - 2 * HAZE), 0, 1)
    assert np.allclose(follow_edges(pixels, lines), wanted, atol=1e-4)
