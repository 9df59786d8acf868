"""What breaks in a network, where, how much of it and for how long; and many such trials at once.

A *fault* is a site that does something else than it should; a *trial* is the draw of all sites
that are hit together; a *campaign* asks a network about many trials. `fault.py` has the value that
describes a fault, `injection.py` puts one trial into a model, `campaign.py` computes many.
"""
