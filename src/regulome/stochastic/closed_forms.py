"""Laws and moments that are known in closed form: what simulation and exact engine are held against.

Rates have the unit 1 / time. Laws are vectors p with p[n] the probability of n molecules.
"""

import numpy as np
from scipy import linalg, special
from scipy.stats import poisson


def birth_death(k: float, gamma: float, length: int) -> np.ndarray:
    """Stationary law of birth at rate k and death at rate gamma each: Poisson(k / gamma)."""
    return poisson.pmf(np.arange(length), k / gamma)


def birth_death_transient(k: float, gamma: float, start: int, time: float, length: int) -> np.ndarray:
    """Law of the same at a time: binomial survivors of the start and an independent Poisson number of later births."""
    alive = np.exp(-gamma * time)
    survivors = np.exp(
        special.gammaln(start + 1)
        - special.gammaln(np.arange(start + 1) + 1)
        - special.gammaln(start - np.arange(start + 1) + 1)
        + special.xlogy(np.arange(start + 1), alive)
        + special.xlog1py(start - np.arange(start + 1), -alive)
    )
    later = poisson.pmf(np.arange(length), k / gamma * (1 - alive))
    return np.convolve(survivors, later)[:length]


def telegraph(kon: float, koff: float, ksyn: float, kdeg: float, length: int) -> np.ndarray:
    """mRNA of a two-state gene that is silent when off (Peccoud and Ycart 1995).

    With a = kon/kdeg, b = koff/kdeg, k = ksyn/kdeg:
    p(n) = k^n / n! Gamma(a+n) Gamma(a+b) / (Gamma(a) Gamma(a+b+n)) 1F1(a+n; a+b+n; -k), the last factor by Kummer's
    transformation e^-k 1F1(b; a+b+n; k), all terms of which are positive.
    """
    a, b, k, n = kon / kdeg, koff / kdeg, ksyn / kdeg, np.arange(length)
    log = special.xlogy(n, k) - special.gammaln(n + 1) - k
    log += special.gammaln(a + n) - special.gammaln(a) + special.gammaln(a + b) - special.gammaln(a + b + n)
    return np.exp(log) * special.hyp1f1(b, a + b + n, k)


def telegraph_moments(kon: float, koff: float, ksyn: float, kdeg: float) -> tuple[float, float]:
    """Mean k a/(a+b) and Fano factor 1 + k b / ((a+b)(a+b+1)) of the same."""
    a, b, k = kon / kdeg, koff / kdeg, ksyn / kdeg
    return k * a / (a + b), 1 + k * b / ((a + b) * (a + b + 1))


def leaky_telegraph(
    kon: float, koff: float, ksynon: float, ksynoff: float, kdeg: float, length: int, nodes: int = 200
) -> np.ndarray:
    """mRNA of a two-state gene that is also transcribed when off: the mRNA marginal of the gene-expression network.

    A Poisson mixture with mean (ksynoff + (ksynon - ksynoff) x)/kdeg, x ~ Beta(kon/kdeg, koff/kdeg), by Gauss-Jacobi
    quadrature.
    """
    x, weights = beta_quadrature(kon / kdeg, koff / kdeg, nodes)
    rate = (ksynoff + (ksynon - ksynoff) * x) / kdeg
    return weights @ poisson.pmf(np.arange(length), rate[:, None])


def beta_quadrature(a: float, b: float, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Jacobi nodes in (0, 1) and weights, summing to 1, for expectations under Beta(a, b).

    By the eigenvectors of the Jacobi matrix (Golub and Welsch); `scipy.special.roots_jacobi` loses digits of
    the weights when a or b is near 0, as for a slow promoter.
    """
    alpha, beta, k = b - 1.0, a - 1.0, np.arange(2, nodes)
    total = alpha + beta
    n = np.arange(1, nodes)
    diagonal = np.append((beta - alpha) / (total + 2), (beta**2 - alpha**2) / ((2 * n + total) * (2 * n + total + 2)))
    first = 4 * (1 + alpha) * (1 + beta) / ((2 + total) ** 2 * (3 + total))
    others = 4 * k * (k + alpha) * (k + beta) * (k + total)
    others = others / ((2 * k + total) ** 2 * (2 * k + total + 1) * (2 * k + total - 1))
    y, vectors = linalg.eigh_tridiagonal(diagonal, np.sqrt(np.append(first, others)))
    return (1 + y) / 2, vectors[0] ** 2


def gene_expression_moments(
    kon: float, koff: float, ksynon: float, ksynoff: float, ksynM: float, kdegM: float, kdegP: float
) -> tuple[np.ndarray, np.ndarray]:
    """Means (3,) and covariance (3, 3) of promoter, mRNA and protein of the gene-expression network.

    With K = kon + koff, f = kon/K, D = ksynon - ksynoff: <M> = (ksynoff + D f)/kdegM, <P> = ksynM <M>/kdegP,
    C_gM = D f (1-f)/(K + kdegM), V_M = <M> + D C_gM/kdegM, C_gP = ksynM C_gM/(K + kdegP),
    C_MP = (ksynM V_M + D C_gP)/(kdegM + kdegP), V_P = <P> + ksynM C_MP/kdegP.
    """
    total = kon + koff
    on, gain = kon / total, ksynon - ksynoff
    mrna = (ksynoff + gain * on) / kdegM
    protein = ksynM * mrna / kdegP
    gm = gain * on * (1 - on) / (total + kdegM)
    mm = mrna + gain * gm / kdegM
    gp = ksynM * gm / (total + kdegP)
    mp = (ksynM * mm + gain * gp) / (kdegM + kdegP)
    pp = protein + ksynM * mp / kdegP
    return np.array([on, mrna, protein]), np.array([[on * (1 - on), gm, gp], [gm, mm, mp], [gp, mp, pp]])


def two_stage_moments(ksynM: float, kdegM: float, ksynP: float, kdegP: float) -> tuple[float, float]:
    """Mean and Fano factor of the protein of a gene that is always on.

    Mean ksynM ksynP/(kdegM kdegP), Fano 1 + (ksynP/kdegM)/(1 + kdegP/kdegM).
    """
    return ksynM * ksynP / (kdegM * kdegP), 1 + (ksynP / kdegM) / (1 + kdegP / kdegM)


def cascade_means(rho: float, k: float, delta: float, species: int) -> np.ndarray:
    """(N,) stationary means of a linear cascade, whose counts are independent Poissons from an empty start on.

    rho k^(i-1)/(k + delta)^i; the last species does not go on, and has k/delta times the one before.
    """
    means = rho * k ** np.arange(species) / (k + delta) ** np.arange(1, species + 1)
    means[-1] = (k * means[-2] if species > 1 else rho) / delta
    return means


def batch_immigration_moments(alpha: float, mu: float, batch: int, time: float, start: int = 0) -> tuple[float, float]:
    """Mean and variance when ``batch`` molecules arrive together at rate alpha and each leaves at rate mu.

    A batch that arrived u ago adds on average batch e^(-mu u), and as a second factorial moment
    batch (batch - 1) e^(-2 mu u): mean m = start e^(-mu t) + alpha batch (1 - e^(-mu t))/mu, variance
    m - start e^(-2 mu t) + alpha batch (batch - 1)(1 - e^(-2 mu t))/(2 mu).
    """
    alive = np.exp(-mu * time)
    mean = start * alive + alpha * batch * (1 - alive) / mu
    return mean, mean - start * alive**2 + alpha * batch * (batch - 1) * (1 - alive**2) / (2 * mu)


def waiting_means(ksyn: float, m_on: float, m_off: float, m_spl: float, m_deg: float) -> tuple[float, float]:
    """Mean nascent and mature RNA when switching, splicing and decay take times with these means, of any law.

    Little's law: ksyn f m_spl and ksyn f m_deg, with f = m_off/(m_on + m_off) the share of time on (m_off is the mean
    time until the gene goes off).
    """
    on = m_off / (m_on + m_off)
    return ksyn * on * m_spl, ksyn * on * m_deg
