//! An application'"s
