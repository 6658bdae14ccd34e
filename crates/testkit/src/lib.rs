//! Private real servers, conformance suites and fakes for the tests of dbkeep.
