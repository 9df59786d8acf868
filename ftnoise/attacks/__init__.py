"""What an adversary does to the inputs of any `keras.Model`; the model stays bit-identical."""
