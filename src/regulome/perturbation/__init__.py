"""Part 2: responses of single cells to genetic perturbations, and the network behind them (GPO-VAE, relatives)."""
