//! The program as a whole, in a pipe: with servers of the course, and with servers that
//! misbehave.

mod misbehaving;
mod pipe;
mod process;
