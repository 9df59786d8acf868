"""Global robustness of all models of Fashion-MNIST, from both sides.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", whose definitions these are.
The models are those of Duddu et al., Tables 5, 7 and 8, and of `weight_noise`.

Deviations
1. The paper prints no radii. These are 1/255, 2/255 (the radius of Table 5) and 4/255.
2. The verifier goes as far as optimized slopes (`verify`): branch and bound decides few more points
   of networks of this width.
3. The convolutional networks are attacked and not verified: the verifier takes 10 seconds or more
   for one of their points. Nor are networks that draw, of which nothing is certain.
4. Gradients are averages over 20 draws of a network that draws. Its class without and with the
   attack is that of one draw.
5. R under faults is of attacks alone, by PGD at 2/255, with 10 % of the parameters stuck at 0.
"""

from dataclasses import replace

from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.variation import Variation
from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table5, table7, table8, tradeoff, weight_noise
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Parameters
from ftnoise.measures import generalization, global_robustness, under_faults
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.measures.under_faults import UnderFaults
from ftnoise.verify.budget import Budget

RADIUS = table5.ATTACK.attack_epsilon
ROBUSTNESS = GlobalRobustness(
    radii=(RADIUS / 2, RADIUS, 2 * RADIUS),
    attacks=(PGD(attack_epsilon=RADIUS, restarts=3, draws=20), Variation(attack_epsilon=RADIUS)),
    verify=Budget(nodes=1, widest=1000),
)
FAULTY = UnderFaults(
    measure=replace(
        ROBUSTNESS, radii=(RADIUS,), attacks=(PGD(attack_epsilon=RADIUS, draws=20),), verify=None
    ),
    scalars=("robust_1",),
    fault=Fault(where=Parameters(), what=StuckAt(), rate=Share(rate=0.1)),
)
SHOWN = ("natural", "tikhonov", "pgd", "eps 0.49", "parameters 0.3")

EXPERIMENT = Experiment(
    name="global_robustness",
    title="Global robustness, attacked and verified, Fashion-MNIST",
    source="Global Adversarial Robustness Guarantees for Neural Networks, Definitions 1 to 4",
    rows=tuple(
        row.with_paper()
        for row in (
            *tradeoff.DNN,
            *table8.PRIVATE,
            *weight_noise.NOISY,
            *tradeoff.CNN2,
            *table7.EXPERIMENT.rows,
        )
    ),
    columns=(
        *generalization.COLUMNS[1:2],
        *global_robustness.columns(ROBUSTNESS),
        *under_faults.columns(FAULTY, ("R, not changed by attacks (l_inf 2/255, PGD-20)",)),
    ),
    # Bands of all models would hide each other.
    figures=(replace(global_robustness.picture(ROBUSTNESS), rows=SHOWN),),
    notes=(
        "Examples that are neither verified nor changed by an attack are undecided. The ends of an "
        "interval add the sampling error (of 738 examples without a preset) on either side: R lies "
        "between them with 95 % confidence, for each model by itself.",
    ),
    adopts=True,
    minutes={"paper": 47, "quick": 5, "smoke": 2},
)
