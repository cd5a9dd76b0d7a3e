"""Average linkage against scipy's, on matrices of one group and of many, small and large."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from cdp_lib.models.identity.linkage import average_linkage, FORBIDDEN, NODES_AT_ONCE


def _weights(size, seed):
    draw = np.random.default_rng(seed)
    matrix = np.triu(draw.normal(-1, 6, (size, size)), 1)
    matrix += matrix.T
    np.fill_diagonal(matrix, FORBIDDEN)
    return matrix


def _smallest(labels):
    return np.array([int(np.flatnonzero(labels == label)[0]) for label in labels])


def _scipy_labels(matrix, reach):
    distance = -matrix[np.triu_indices(len(matrix), 1)]
    tree = linkage(distance - distance.min(), method="average")
    return _smallest(fcluster(tree, -reach - distance.min(), criterion="distance"))


@pytest.mark.parametrize("size", [2, 3, 10, NODES_AT_ONCE, NODES_AT_ONCE + 1, 200])
@pytest.mark.parametrize("reach", [-2.0, 1.0])
def test_clusters_are_those_of_scipy(size, reach):
    matrix = _weights(size, seed=size)

    united = average_linkage(matrix[None].copy(), np.ones((1, size, size)), np.array([reach]))

    assert united.label[0].tolist() == _scipy_labels(matrix, reach).tolist()


def test_groups_side_by_side_do_not_see_each_other():
    matrices = [_weights(9, seed) for seed in range(30)]
    reach = np.linspace(-4, 3, 30)

    united = average_linkage(np.array(matrices), np.ones((30, 9, 9)), reach)

    assert [row.tolist() for row in united.label] == [
        _scipy_labels(matrix, bound).tolist() for matrix, bound in zip(matrices, reach, strict=True)
    ]


@pytest.mark.parametrize("size", [5, NODES_AT_ONCE + 20])
def test_node_counts_by_how_many_records_it_stands_for(size):
    draw = np.random.default_rng(size)
    count = draw.integers(1, 4, size)
    node = np.repeat(np.arange(size), count)
    per_record = _weights(size, seed=1)[np.ix_(node, node)]
    per_record[node[:, None] == node[None, :]] = 1e6
    np.fill_diagonal(per_record, FORBIDDEN)
    total = _weights(size, seed=1) * np.outer(count, count)

    united = average_linkage(total[None], np.outer(count, count)[None].astype(np.float64), np.array([-1.0]))

    records = _scipy_labels(per_record, -1.0)
    assert _smallest(united.label[0][node]).tolist() == records.tolist()


@pytest.mark.parametrize("size", [6, NODES_AT_ONCE + 1])
def test_forbidden_nodes_stay_apart_though_all_else_speaks_for_them(size):
    total = np.full((1, size, size), 1e12)
    total[0, np.arange(size), np.arange(size)] = FORBIDDEN
    total[0, 2, 5] = total[0, 5, 2] = FORBIDDEN

    label = average_linkage(total, np.ones((1, size, size)), np.array([0.0])).label[0]

    assert label[2] != label[5]
    assert len(set(label.tolist())) == 2


@pytest.mark.parametrize("size", [4, NODES_AT_ONCE + 6])
def test_lowest_mean_is_that_of_the_last_union_and_infinite_for_a_node_alone(size):
    total = np.full((1, size, size), -9.0)
    total[0, 0, 1] = total[0, 1, 0] = 8.0
    total[0, 2, 0] = total[0, 0, 2] = total[0, 1, 2] = total[0, 2, 1] = 5.0
    total[0, np.arange(size), np.arange(size)] = FORBIDDEN

    united = average_linkage(total, np.ones((1, size, size)), np.array([0.0]))

    assert united.label[0, :4].tolist() == [0, 0, 0, 3]
    assert united.lowest[0, :4].tolist() == [5.0, 5.0, 5.0, np.inf]


def test_group_of_two_thousand_is_parted_within_seconds():
    matrix = _weights(2000, seed=0)

    label = average_linkage(matrix[None], np.ones((1, 2000, 2000)), np.array([-0.5])).label[0]

    assert 1 < len(set(label.tolist())) < 2000


def _plain_clusters(total, count, reach):
    """Means taken anew over all pairs of nodes at each step."""
    clusters = [[node] for node in range(len(total))]
    while True:
        nearest = (reach, None)
        for place, one in enumerate(clusters):
            for later, other in enumerate(clusters[place + 1 :], start=place + 1):
                pairs = count[np.ix_(one, other)].sum()
                mean = total[np.ix_(one, other)].sum() / pairs if pairs else -np.inf
                if mean > nearest[0]:
                    nearest = (mean, (place, later))
        if nearest[1] is None:
            break
        place, later = nearest[1]
        clusters[place] += clusters.pop(later)
    return [min(cluster) for node in range(len(total)) for cluster in clusters if node in cluster]


@pytest.mark.parametrize("size", [12, NODES_AT_ONCE + 6])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_that_do_not_count_pull_no_mean(size, seed):
    draw = np.random.default_rng(seed)
    count = np.triu(draw.integers(0, 4, (size, size)) * (draw.random((size, size)) < 0.3), 1)
    count = (count + count.T).astype(np.float64)
    total = np.where(count > 0, _weights(size, seed), 0.0) * count
    total[np.arange(size), np.arange(size)] = FORBIDDEN

    united = average_linkage(total[None].copy(), count[None].copy(), np.array([-0.5]))

    assert united.label[0].tolist() == _plain_clusters(total, count, -0.5)


@pytest.mark.parametrize("size", [3, NODES_AT_ONCE + 1])
def test_nodes_between_which_no_pair_counts_unite_only_through_a_third(size):
    total, count = np.zeros((2, size, size)), np.zeros((2, size, size))
    total[:, np.arange(size), np.arange(size)] = FORBIDDEN
    for one, other in ((0, 2), (1, 2)):
        total[1, one, other] = total[1, other, one] = 5.0
        count[1, one, other] = count[1, other, one] = 1.0

    label = average_linkage(total, count, np.array([-9.0, -9.0])).label

    assert label[:, :3].tolist() == [[0, 1, 2], [0, 0, 0]]
