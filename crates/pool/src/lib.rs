//! A generic async pool for anything that can be opened, checked and closed.
