//! What the tests run against: servers of their own, browsers, peers.
