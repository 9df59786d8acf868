"""Global robustness of all models of Fashion-MNIST, from both sides.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", whose definitions these are.
The models are those of fmnist_dnn in Duddu et al., Tables 5 and 8.

Deviations
1. The paper prints no radii. These are 1/255, 2/255 (the radius of Table 5) and 4/255.
2. The verifier goes as far as optimized slopes (`verify`): branch and bound decides few more points
   of networks of this width.
3. The convolutional networks are left out: the verifier takes 10 seconds or more for one of their
   points.
"""

from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.variation import Variation
from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table8, tradeoff
from ftnoise.measures import generalization, global_robustness
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.verify.budget import Budget

ATTACKS = (PGD(attack_epsilon=2 / 255, restarts=3), Variation(attack_epsilon=2 / 255))
ROBUSTNESS = GlobalRobustness(
    radii=(1 / 255, 2 / 255, 4 / 255), attacks=ATTACKS, verify=Budget(nodes=1)
)

EXPERIMENT = Experiment(
    name="global_robustness",
    title="Global robustness, attacked and verified, Fashion-MNIST",
    source="Global Adversarial Robustness Guarantees for Neural Networks, Definitions 1 to 4",
    rows=tuple(row.with_paper() for row in (*tradeoff.DNN, *table8.PRIVATE)),
    columns=(
        *generalization.COLUMNS[1:2],
        *global_robustness.columns(ROBUSTNESS),
    ),
    figures=(global_robustness.picture(ROBUSTNESS),),
    notes=(
        "Between what is verified and what is not attacked lies what neither side decides. The "
        "ends of an interval add the error of the sample of 738 examples to either side: R lies "
        "between them with 95 % confidence, for each model by itself.",
    ),
    adopts=True,
    minutes={"paper": 60, "quick": 5, "smoke": 2},
)
