"""Other simulators on the gene-expression network; `regulome.stochastic.ssa_benchmark` starts this as a script.

Runs under an interpreter that has bioscrape or GillesPy2, not regulome. Every line of input, "METHOD TRAJECTORIES", is
answered by a line of JSON: CPU seconds, and the mean protein count at the end. The first line lists the methods.
"""

import json
import os
import resource
import sys
import time

THETA = {"kon": 0.055, "koff": 0.055, "ksynon": 5.005, "ksynoff": 5.005, "ksynM": 1.005, "kdegM": 0.35, "kdegP": 0.3}
TIME = 6000.0
REACTIONS = (  # reactants, products, rate constant: mass action
    (["OFF"], ["ON"], "kon"),
    (["ON"], ["OFF"], "koff"),
    (["ON"], ["ON", "mRNA"], "ksynon"),
    (["OFF"], ["OFF", "mRNA"], "ksynoff"),
    (["mRNA"], ["mRNA", "Protein"], "ksynM"),
    (["mRNA"], [], "kdegM"),
    (["Protein"], [], "kdegP"),
)
START = {"ON": 1, "OFF": 0, "mRNA": 0, "Protein": 0}


def cpu() -> float:
    """CPU seconds of this process and of its finished children (GillesPy2 runs a compiled program)."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def bioscrape():
    """SSA of bioscrape (Cython)."""
    import numpy as np
    from bioscrape.simulator import ModelCSimInterface, SSASimulator
    from bioscrape.types import Model

    reactions = [(left, right, "massaction", {"k": THETA[k]}) for left, right, k in REACTIONS]
    model = Model(species=list(START), reactions=reactions, initial_condition_dict=START)
    interface, simulator, times = ModelCSimInterface(model), SSASimulator(), np.array([0.0, TIME])
    place = model.get_species_list().index("Protein")

    def run(trajectories):
        ends = [simulator.py_simulate(interface, times).py_get_result()[-1, place] for _ in range(trajectories)]
        return float(np.mean(ends))

    return run


def gillespy2():
    """C++ direct method of GillesPy2, compiled for the model; two output points."""
    import gillespy2
    import numpy as np

    model = gillespy2.Model(name="gene_expression")
    model.add_parameter([gillespy2.Parameter(name=k, expression=str(value)) for k, value in THETA.items()])
    model.add_species([gillespy2.Species(name=name, initial_value=value) for name, value in START.items()])
    for i, (left, right, k) in enumerate(REACTIONS):
        sides = [{name: 1 for name in side} for side in (left, right)]
        model.add_reaction(
            gillespy2.Reaction(name=f"r{i}", reactants=sides[0], products=sides[1], rate=model.get_parameter(k))
        )
    model.timespan(gillespy2.TimeSpan([0.0, TIME]))
    solver = gillespy2.SSACSolver(model=model)

    def run(trajectories):
        results = solver.run(number_of_trajectories=trajectories)
        return float(np.mean([result["Protein"][-1] for result in results]))

    return run


def main() -> None:
    """Prepare every method that is installed, then answer requests."""
    scripts = os.path.dirname(sys.executable)
    os.environ["PATH"] = scripts + os.pathsep + os.environ.get("PATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    answer, sys.stdout = sys.stdout, sys.stderr
    methods = {}
    for name, prepare in (("bioscrape", bioscrape), ("GillesPy2 C++", gillespy2)):
        try:
            methods[name] = prepare()
            methods[name](1)
        except Exception as error:  # a peer that is not installed or does not build is left out, and said so
            methods.pop(name, None)
            print(f"{name}: left out ({type(error).__name__}: {error})", file=sys.stderr)
    print(json.dumps(list(methods)), file=answer, flush=True)
    for line in sys.stdin:
        name, trajectories = line.rsplit(maxsplit=1)
        began, wall = cpu(), time.perf_counter()
        mean = methods[name](int(trajectories))
        found = {"cpu": cpu() - began, "wall": time.perf_counter() - wall, "mean": mean}
        print(json.dumps(found), file=answer, flush=True)


if __name__ == "__main__":
    main()
