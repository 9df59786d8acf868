"""Does noise on the inputs help a network to tolerate faults? Train with and without, compare."""

from dataclasses import replace

from ftnoise import (
    Circles,
    CirclesNet,
    FaultTolerance,
    GaussianNoise,
    Generalization,
    Run,
    Schedule,
    Training,
    evaluate,
    train,
)

natural = Run(
    architecture=CirclesNet(),
    data=Circles(),  # 30 points to train on, 70 to test on
    training=Training(),
    schedule=Schedule(epochs=200, batch_size=10, learning_rate=0.05, momentum=0.9),
)
noisy = replace(natural, training=Training(inputs=GaussianNoise(sigma=0.2)))

for run in (natural, noisy):
    # Stored in runs/: a second start of this script trains and measures nothing.
    result = evaluate(run, Generalization(), FaultTolerance(rates=(0.1, 0.5), trials=20))
    print(result, end="\n\n")

network = train(noisy)  # a keras.Model; it is stored by now, and loaded
print(f"{network.name} has {network.count_params():,} parameters.")
