//! random_walk
