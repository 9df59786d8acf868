"""Faults in a network: where, what, at which rate and for how long; and campaigns of many trials.

A *fault* changes the values at some sites of a network; a *trial* is one random draw of the sites
that are hit together; a *campaign* runs many trials on one network. `fault.py` has the value that
describes a fault, `injection.py` puts one trial into a model, `campaign.py` computes many.
"""
