"""What breaks in a network, where, how much of it and for how long; and many such masks at once.

A *fault* is a place that does something else than it should; a *mask* is the draw of all places
that are hit together; a *campaign* asks a network about many masks. `fault.py` has the value that
describes a fault, `injection.py` puts one mask into a model, `campaign.py` computes many.
"""
