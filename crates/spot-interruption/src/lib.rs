//! Hands a spot instance that is about to be interrupted to the drainer.
