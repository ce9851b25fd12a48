//! Runs whole worlds with everything that can go wrong, seed by seed.
