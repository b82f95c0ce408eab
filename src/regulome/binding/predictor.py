"""The default predictor: profiles of homologues and the two-tower network, combined by what each is worth.

    predictor = Predictor.fit(compendium, model=model, held_out=...)
    predictor.predict(proteins, rnas)          # (P, N)
    predictor.coverage(proteins)               # nearest training protein, expected correlation with interval

    score = a z_homology + (1 - a) z_two-tower,   a depends on the identity to the nearest training protein

z-scores use reference RNAs that the file carries, so the score of an RNA does not depend on what else is asked. Without
a network the homology term stands alone.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.binding import combination, coverage, gram, homology, new_rnas, predictor_file, rna_windows
from regulome.binding.combination import Calibration
from regulome.binding.compendium import Compendium
from regulome.binding.homology import IDENTITY, HomologyTerm
from regulome.binding.model_file import Model
from regulome.binding.rna_regression import LONGEST, KmerRidge
from regulome.binding.sequences import Sequences
from regulome.binding.targets import TargetTransform
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

REFERENCE = 512  # RNAs behind the z-scores
CHUNK = 16_384  # RNAs whose k-mers are counted at a time
TERMS = ("homology", "two-tower")


@dataclass(frozen=True)
class Predictor:
    """A fitted predictor; all of it lies in one file.

    Attributes
    ----------
    training
        T training proteins.
    ridge
        Their profiles on any RNA.
    identity, gram
        (T, T) identities and correlations of their profiles.
    term
        The homology term.
    expectation
        `coverage.table` of the leave-one-out of the homology term on held-out RNAs.
    new_r
        (T,) that leave-one-out (`new_rnas.leave_one_out`).
    reference
        RNAs behind the z-scores.
    kind, source
        Of the compendium.
    targets
        Mode of the targets (`targets.MODES`).
    model
        The two-tower network, or None.
    reference_vectors
        (R, D) the network's vectors of the reference RNAs.
    calibration
        Weights of the two terms; None without network.
    """

    training: Sequences
    ridge: KmerRidge
    identity: np.ndarray
    gram: np.ndarray
    term: HomologyTerm
    expectation: pd.DataFrame
    new_r: np.ndarray
    reference: Sequences
    kind: str
    source: str
    targets: str
    model: Model | None = None
    reference_vectors: np.ndarray | None = None
    calibration: Calibration | None = None

    # --- fitting

    @classmethod
    def fit(
        cls,
        compendium: Compendium,
        term: HomologyTerm | None = None,
        identity: np.ndarray | None = None,
        clusters: np.ndarray | None = None,
        longest: int = LONGEST,
        targets: str = "shifted log",
        seed: int = 0,
    ) -> "Predictor":
        """Fit the homology term.

        Parameters
        ----------
        compendium
            Training proteins and RNAs.
        identity
            (T, T) fractions, if known already.
        clusters
            (T,) homologous proteins, for the intervals of the expectation.
        longest
            Longest RNA k-mer.
        seed
            Of the draw of reference RNAs and of the held-out RNAs that choose the ridge's penalty.
        """
        profiles = TargetTransform.fit(compendium.intensities, targets).apply(compendium.intensities)
        profiles = np.nan_to_num(profiles)
        similarity = homology.similarities(compendium.proteins, None, identity)
        term = term or homology.default_term()
        matrix = gram.of_profiles(profiles)
        loo = gram.problem(compendium.proteins, matrix, similarity, compendium.kind)
        ridge = KmerRidge.tuned(profiles, compendium.rnas, longest, seed=seed)
        new_r = new_rnas.leave_one_out(profiles, compendium.rnas, loo, term, ridge, seed)
        expectation = coverage.table(new_r, loo.nearest_identity(), clusters)
        drawn = _drawn(np.array(compendium.rnas.lengths), np.random.default_rng(seed))
        return cls(
            compendium.proteins,
            ridge,
            similarity[IDENTITY].astype(np.float32),
            matrix.astype(np.float32),
            term,
            expectation,
            new_r.astype(np.float32),
            compendium.rnas.take(np.sort(drawn)),
            compendium.kind,
            compendium.source,
            targets,
        )

    def with_model(
        self,
        model: Model,
        held_out: Compendium,
        vectors: Vectors | None = None,
        structure: np.ndarray | None = None,
        reference_structure: np.ndarray | None = None,
    ) -> "Predictor":
        """Add a network, and learn from held-out proteins how much of it to use.

        Parameters
        ----------
        held_out
            Proteins that neither the network nor this predictor was trained on, on any RNAs.
        vectors, structure
            Of the held-out proteins and RNAs (None: made here where the source allows).
        reference_structure
            Profiles of `reference` (None: made here if the network needs them).

        Raises
        ------
        UserError
            If a held-out protein is a training protein of either, by its sequence.
        """
        known = set(self.training.letters)
        seen = [n for n, s in zip(held_out.proteins.names, held_out.proteins.letters, strict=True) if s in known]
        seen += [name for name in held_out.proteins.names if name in set(model.proteins) - set(seen)]
        if seen:
            raise UserError(f"held-out protein '{seen[0]}' is a training protein; expected proteins that are new")
        encoded = model.encode_rnas(self.reference, self._structure(model, self.reference, reference_structure))
        full = replace(self, model=model, reference_vectors=encoded, calibration=None)
        terms, identity = full.terms(held_out.proteins, held_out.rnas, vectors, structure)
        truth = TargetTransform.fit(held_out.intensities, self.targets).apply(held_out.intensities)
        from regulome.binding.validation import correlations

        calibration = combination.calibrate(
            identity.max(1),
            homology_r=correlations(terms[0], truth),
            two_tower_r=correlations(terms[1], truth),
            rho=correlations(terms[0], terms[1]),
        )
        return replace(full, calibration=calibration)

    def refitted(
        self,
        compendium: Compendium,
        identity: np.ndarray | None = None,
        clusters: np.ndarray | None = None,
        longest: int = LONGEST,
        structure: np.ndarray | None = None,
        seed: int = 0,
    ) -> "Predictor":
        """The homology term on all proteins and RNAs, held-out ones included; network and its share as they are.

        What to ship once everything is measured: more relatives, and nothing left to be tested on.

        Parameters
        ----------
        identity, clusters, longest, seed
            As for `fit`.
        structure
            Profiles of the compendium's RNAs (None: made here if the network needs them).
        """
        fitted = Predictor.fit(compendium, self.term, identity, clusters, longest, self.targets, seed)
        if self.model is None:
            return fitted
        place = compendium.rnas.index()
        rows = [place[name] for name in fitted.reference.names]
        profiles = self._structure(self.model, fitted.reference, None if structure is None else structure[rows])
        encoded = self.model.encode_rnas(fitted.reference, profiles)
        return replace(fitted, model=self.model, reference_vectors=encoded, calibration=self.calibration)

    def leave_one_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Nearest identity of every training protein, and its correlation when others predict it on held-out RNAs."""
        similarity = homology.similarities(self.training, None, self.identity)
        return gram.problem(self.training, self.gram, similarity, self.kind).nearest_identity(), self.new_r

    # --- prediction

    @property
    def longest(self) -> int:
        """Bases of the longest RNA that is read as one; longer ones are read as windows."""
        return max(self.reference.lengths) if self.model is None else self.model.longest

    def predict(
        self,
        proteins: Sequences,
        rnas: Sequences,
        vectors: Vectors | None = None,
        structure: np.ndarray | None = None,
        threads: int = 1,
        progress: bool = False,
    ) -> np.ndarray:
        """(P, N) float32 scores, higher is stronger binding, about 1 standard deviation over probes a unit.

        Parameters
        ----------
        vectors
            Of the proteins, from the network's source (None: made here where the source is the featuriser or an
            ESM-2 model).
        structure
            (N, L, 5) profiles of the RNAs (None: made here if the network reads them).
        threads
            Of the network.

        Raises
        ------
        UserError
            As `Model.predict`, and if vectors or profiles are missing and cannot be made.
        """
        pieces = self.pieces(rnas)
        terms, identity = self.terms(
            proteins, pieces.rnas, vectors, None if pieces.cut else structure, threads, progress
        )
        return pieces.best(combination.mix(terms, self.weights(identity)))

    def weights(self, identity: np.ndarray) -> np.ndarray:
        """(P, 2) weights of `TERMS` for (P, T) identities; (P, 1) without network."""
        if self.calibration is None:
            return np.eye(1, 1 if self.model is None else 2).repeat(len(identity), 0)
        return self.calibration.weights(identity.max(1))

    def terms(
        self,
        proteins: Sequences,
        rnas: Sequences,
        vectors: Vectors | None = None,
        structure: np.ndarray | None = None,
        threads: int = 1,
        progress: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The z-scored terms (1 or 2, P, N) in the order of `TERMS`, and the (P, T) identities to training proteins."""
        similarity, training = self.similarities(proteins)
        weights = self.term.weights(similarity, training, self.gram)
        pieces = self.pieces(rnas)
        found = [pieces.best(self._homology(weights, pieces.rnas))]
        if self.model is not None:
            found.append(pieces.best(self._two_tower(proteins, pieces, vectors, structure, threads, progress)))
        return np.stack(found), similarity[IDENTITY]

    def similarities(self, proteins: Sequences) -> tuple[dict, dict]:
        """Similarities of queries to the training, and of the training to itself."""
        if proteins.kind != "protein":
            raise UserError(f"{proteins.source}: found {proteins.kind} sequences; expected proteins")
        return homology.similarities(proteins, self.training), homology.similarities(self.training, None, self.identity)

    def pieces(self, rnas: Sequences) -> rna_windows.Windows:
        """RNAs as they are read: longer ones than the training's in windows."""
        return rna_windows.cut(rnas, self.longest)

    def coverage(self, proteins: Sequences) -> pd.DataFrame:
        """What to expect for each protein: columns of `coverage.report`, and the share of the two-tower term."""
        identity = homology.similarities(proteins, self.training)[IDENTITY]
        found = coverage.report(proteins.names, identity, self.training.names, self.expectation)
        return found.assign(two_tower_share=self.weights(identity)[:, -1] if self.model is not None else 0.0)

    def _homology(self, weights: np.ndarray, rnas: Sequences) -> np.ndarray:
        reference = self.ridge.predict(self.reference, weights)
        mean, sd = reference.mean(1, keepdims=True), reference.std(1, keepdims=True)
        found = np.empty((len(weights), len(rnas)), dtype=np.float32)
        for start in range(0, len(rnas), CHUNK):
            part = range(start, min(start + CHUNK, len(rnas)))
            found[:, start : start + CHUNK] = self.ridge.predict(rnas.take(part), weights)
        return (found - mean) / np.where(sd > 1e-9, sd, 1)

    def _two_tower(self, proteins, pieces, vectors, structure, threads, progress) -> np.ndarray:
        model = self.model
        factors = model.protein_factors(self._vectors(proteins, vectors))
        cut = len(pieces.rnas) != len(pieces.first)
        profiles = self._structure(model, pieces.rnas, None if cut else structure)
        encoded = model.encode_rnas(pieces.rnas, profiles, threads=threads, progress=progress)
        reference = model.product(factors, self.reference_vectors)
        mean, sd = reference.mean(1, keepdims=True), reference.std(1, keepdims=True)
        return (model.product(factors, encoded) - mean) / np.where(sd > 1e-9, sd, 1)

    def _vectors(self, proteins: Sequences, vectors: Vectors | None) -> Vectors:
        if vectors is not None:
            if vectors.names != proteins.names:
                raise UserError(
                    f"{len(vectors)} protein vectors for {len(proteins)} proteins; expected one each, in order"
                )
            return vectors
        from regulome.binding import embedding_sources, featuriser

        source = self.model.vector_source
        if source == featuriser.source_name():
            return featuriser.featurise(proteins)
        name = source.split()[0]
        if name in embedding_sources.MODELS:
            return embedding_sources.embed(name, proteins, progress=False)
        raise UserError(f"{self.model.path}: reads protein vectors from '{source}'; expected such vectors to be given")

    @staticmethod
    def _structure(model: Model, rnas: Sequences, structure: np.ndarray | None) -> np.ndarray | None:
        if not model.structure or structure is not None:
            return structure
        from regulome.binding import phime

        return phime.profiles(rnas, progress=False)

    # --- files

    def save(self, path: str | Path) -> None:
        """Write everything into one file."""
        predictor_file.write(path, self)

    @classmethod
    def load(cls, path: str | Path) -> "Predictor":
        """Read what `save` wrote; nothing in the file is executed (UserError if it is missing, damaged or none)."""
        return cls(**predictor_file.read(path))


def _drawn(lengths: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Positions of reference RNAs; a shortest and a longest are among them, since they say what can be read as one."""
    drawn = generator.permutation(len(lengths))[:REFERENCE]
    for place in (lengths.argmin(), lengths.argmax()):
        if lengths[place] not in lengths[drawn]:
            drawn = np.append(drawn, place)
    return drawn
