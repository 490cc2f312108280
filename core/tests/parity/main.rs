//! Agreement with the official code, fixture by fixture.

mod checkpoint;
