"""The `inputs` slot: objectives on clean, noisy or adversarial examples."""
