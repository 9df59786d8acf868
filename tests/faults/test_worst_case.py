"""The search for the worst flips."""

from __future__ import annotations

import numpy as np
import pytest

import ftnoise
from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.parsing import parse_fault, rate_of
from ftnoise.faults.worst_case import Search, worst_case
from tests.faults.networks import made


def campaign(stored="int8", where="parameters", name="dense"):
    network, x, y = made(name)
    # Labels that the network predicts, so that there is something to lose.
    y = network.predict(x, verbose=0).argmax(axis=1)
    return Campaign(network, x, y, parse_fault(f"{where},stored={stored}:bit_flip:n=1"))


def test_the_search_loses_more_than_random_flips():
    one = campaign(where="weights")
    found = worst_case(one, 1.0, 6)
    random = 100 * one.run(range(40), rate_of(f"n={len(found)}")).correct.mean(axis=1)
    assert found[-1].accuracy < random.mean() - 10
    assert len({(flip.site, flip.bit) for flip in found}) == len(found)


def test_the_accuracy_is_that_of_the_flips():
    one = campaign(where="weights")
    search = Search(one)
    steps = [search.step() for _ in range(3)]
    starts = np.cumsum([0, *one.sampler.sizes])
    sites = [
        starts[target] + element * one.targets[target].code.bits + bit
        for target, element, bit in steps
    ]
    found = one.run_at([np.array(sites)])
    assert search.accuracy() == 100 * found.correct.mean()
    for target, value in zip(one.targets, search.values, strict=True):
        changed = np.count_nonzero(value.numpy() != target.variable.numpy())
        hits = {element for n, element, _ in steps if one.targets[n] is target}
        assert changed == len(hits)


@pytest.mark.parametrize("stored", ["float32", "bfloat16", "float16", "int8"])
def test_one_flip_of_a_large_code_is_found(stored):
    one = campaign(stored)
    (flip,) = worst_case(one, 100.0, 1)
    random = 100 * one.run(range(100), rate_of("n=1")).correct.mean(axis=1)
    assert flip.accuracy <= np.quantile(random, 0.1)


def test_it_stops_below_the_accuracy():
    one = campaign()
    found = worst_case(one, 60.0, 50)
    assert found[-1].accuracy < 60
    assert all(flip.accuracy >= 60 for flip in found[:-1])


def test_it_ends_where_no_flip_is_left(monkeypatch):
    one = campaign()
    usual = Search._candidates
    monkeypatch.setattr(Search, "_candidates", lambda s: usual(s) if len(s.flipped) < 2 else [])
    assert len(worst_case(one, 1.0, 50)) == 2
    monkeypatch.setattr(Search, "_candidates", lambda search: [])
    with pytest.raises(BadInput, match="a bit whose flip lowers the margins"):
        worst_case(one, 1.0, 50)


def test_an_accuracy_that_is_not_reached_without_faults_is_refused():
    network, x, y = made("dense")
    y = network.predict(x, verbose=0).argmin(axis=1)
    with pytest.raises(BadInput, match=r"at most the accuracy without faults, 0\.00 %"):
        ftnoise.worst_case(network, x, y, below=50.0)


def test_wrong_arguments_are_refused():
    network, x, y = made("dense")
    for accuracy in (0.0, 101.0, float("nan")):
        with pytest.raises(BadInput, match="an accuracy in percent"):
            ftnoise.worst_case(network, x, y, below=accuracy)
    with pytest.raises(BadInput, match="most"):
        ftnoise.worst_case(network, x, y, below=50.0, most_flips=0)
    with pytest.raises(BadInput, match="single parameters, not of filters"):
        Search(campaign(where="filters", name="convolutions"))
    with pytest.raises(BadInput, match="any stored bit"):
        Search(Campaign(network, x, y, parse_fault("parameters:bit_flip:n=1")))
